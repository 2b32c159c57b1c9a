<?php // Receives wismo's webhooks. Run it with: PORT=8000 SECRET=whsec_... php receiver.php
if (PHP_SAPI === 'cli') { // Not inside a web server: become PHP's own one. Under Apache or FPM this is never reached.
    echo 'listening on ', getenv('PORT'), "\n";
    pcntl_exec(PHP_BINARY, ['-S', '127.0.0.1:' . getenv('PORT'), __FILE__]);
}
$key = base64_decode(substr(getenv('SECRET'), strlen('whsec_')));
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$sent = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$signed = hash_hmac('sha256', "$id.$sent." . file_get_contents('php://input'), $key, true);
$matches = fn($one) => hash_equals('v1,' . base64_encode($signed), $one);
$good = array_filter(explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? ''), $matches)
    && ctype_digit($sent) && abs(time() - (int) $sent) <= 300;
file_put_contents('php://stdout', $good ? "verified $id\n" : "refused\n");
http_response_code($good ? 204 : 401);
