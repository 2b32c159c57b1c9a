//! Correios of Brazil, SRO: a token for a posting card, up to fifty repeated parameters, the clock of Brasilia.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Correios(Tokens);

const USER: &str = "loja4711";
const CODE: &str = "c0digo:de acesso";
const CARD: &str = "0067594711";
const NUMBER: &str = "QB473124829BR";
const ZONE: &str = "America/Sao_Paulo";

impl StandIn for Correios {
    fn code(&self) -> &'static str {
        "correios"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("user", USER), ("access_code", CODE), ("posting_card", CARD)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "80010-000", "country": "BR" }, "locale": "fr" })
    }

    fn life(&self) -> &'static [&'static str] {
        &["accepted", "departed", "out_for_delivery", "recipient_absent", "at_post_office", "delivered"]
    }

    fn zone(&self) -> &'static str {
        ZONE
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/token/v1/autentica/cartaopostagem") => self.token(asked),
            ("GET", "/srorastro/v1/objetos") => self.track(asked, told),
            _ => refused(404, "GTW-404: recurso não encontrado"),
        }
    }
}

impl Correios {
    fn token(&self, asked: &Asked) -> Said {
        if !asked.basic(USER, CODE) {
            return refused(401, "GTW-001: usuário ou código de acesso inválido");
        }
        if asked.json() != json!({ "numero": CARD }) {
            return refused(400, "PTC-001: cartão de postagem inválido");
        }
        let end = (Timestamp::now() + SignedDuration::from_hours(24)).to_zoned(TimeZone::get(ZONE).unwrap());
        let end = end.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Said::json(201, &json!({ "ambiente": "PRODUCAO", "token": self.0.issue("correios"), "expiraEm": end }))
    }

    fn track(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !self.0.accepts(asked.bearer()) {
            return refused(403, "GTW-007: token inválido ou expirado");
        }
        if !["pt-BR", "en", "es-ES"].contains(&asked.header("accept-language")) {
            return refused(400, "SRO-018: idioma inválido");
        }
        let codes: Vec<&str> =
            asked.query.iter().filter(|(name, _)| name == "codigosObjetos").map(|(_, code)| code.as_str()).collect();
        if asked.param("resultado") != "T" || codes.is_empty() || codes.len() > 50 {
            return refused(400, "SRO-001: parâmetros inválidos");
        }
        let objects: Vec<Value> = codes.iter().map(|code| object(code, told)).collect();
        Said::json(200, &json!({ "versao": "1.0", "quantidade": objects.len(), "resultado": "T", "objetos": objects }))
    }
}

fn refused(status: u16, message: &str) -> Said {
    Said::json(status, &json!({ "msgs": [message] }))
}

fn object(code: &str, told: &[Scan]) -> Value {
    if code.len() != 13 {
        return json!({ "codObjeto": code, "mensagem": "SRO-019: Objeto inválido" });
    }
    if code != NUMBER || told.is_empty() {
        let message = "SRO-020: Objeto não encontrado na base de dados dos Correios.";
        return json!({ "codObjeto": code, "mensagem": message });
    }
    json!({
        "codObjeto": code, "tipoPostal": { "sigla": "QB", "descricao": "SEDEX", "categoria": "SEDEX" },
        "dtPrevista": "2026-03-13T23:59:59", "modalidade": "F", "eventos": told.iter().rev().map(event).collect::<Vec<_>>(),
    })
}

fn event(scan: &Scan) -> Value {
    let (code, kind, words) = match scan.means {
        "accepted" => ("PO", "01", "Objeto postado"),
        "departed" => ("RO", "01", "Objeto em transferência - por favor aguarde"),
        "out_for_delivery" => ("OEC", "01", "Objeto saiu para entrega ao destinatário"),
        "recipient_absent" => ("BDE", "20", "Objeto não entregue - carteiro não atendido"),
        "at_post_office" => ("LDI", "01", "Objeto aguardando retirada no endereço indicado"),
        _ => ("BDE", "01", "Objeto entregue ao destinatário"),
    };
    json!({
        "codigo": code, "tipo": kind, "descricao": words, "dtHrCriado": scan.local(ZONE, "%Y-%m-%dT%H:%M:%S"),
        "unidade": { "tipo": "Unidade de Distribuição", "nome": "", "endereco": { "cidade": "CURITIBA", "uf": "PR" } },
    })
}
