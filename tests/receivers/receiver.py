# Receives wismo's webhooks. Run it with: PORT=8000 SECRET=whsec_... python3 receiver.py
import base64, hashlib, hmac, http.server, os, time

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        name, sent = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        signed = hmac.new(KEY, f"{name}.{sent}.".encode() + body, hashlib.sha256).digest()
        wanted = b"v1," + base64.b64encode(signed)
        given = self.headers.get("webhook-signature", "").encode().split(b" ")
        fresh = sent.isdecimal() and abs(time.time() - int(sent)) <= 300
        good = any([hmac.compare_digest(wanted, one) for one in given]) and fresh
        print("verified" if good else "refused", name if good else "", flush=True)
        self.send_response(204 if good else 401)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver)
print("listening on", server.server_port, flush=True)
server.serve_forever()
