//! The one expression language of the definitions: sources in answers, templates in requests.
//!
//! A plain path (`status.code`, `a.b[0].c`, `p['x-y']`) runs straight on the parsed JSON, and so do simple expressions
//! (`native`), which give what the engine would give; everything else is a minijinja expression with fuel, without files, environment or other templates. `null`, undefined and blank
//! text are the same thing here: absent. Nothing in this room panics on any input, and every evaluation ends.

mod engine;
mod filters;
mod got;
mod native;
mod path;
mod scope;
mod source;
mod template;
mod text;
mod values;
pub mod watch;

use thiserror::Error;

pub(in crate::carrier) use filters::{percent_encode, xml as xml_escaped};
pub(in crate::carrier) use got::objects_of;
pub use path::Path;
pub use scope::Scope;
pub use source::{Condition, Source};
pub(in crate::carrier) use template::Let;
pub use template::Template;
pub use text::{fold, lookup_country};

/// An expression that cannot be compiled, or that failed while it ran. It never holds values, only the text of
/// the definition: what ran through it may have been secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} in `{text}`")]
pub struct ExprProblem {
    /// The expression or template as written.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ExprProblem {
    fn compiling(text: &str, error: &minijinja::Error) -> Self {
        let problem = error.detail().map_or_else(|| error.kind().to_string(), |d| format!("{}: {d}", error.kind()));
        Self { text: text.to_owned(), problem }
    }

    /// While running, the detail could quote a value: only the kind is kept.
    fn running(text: &str, error: &minijinja::Error) -> Self {
        Self { text: text.to_owned(), problem: error.kind().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn eval(text: &str, scope: &Scope<'_>) -> Option<Value> {
        Source::compile(text).unwrap().eval(scope).map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn paths_and_expressions_agree() {
        let (root, e) = (json!({"a": {"x-y": [1, 2]}}), json!({"code": "A", "none": null, "blank": " "}));
        let outer = Scope::new().with("root", &root);
        let scope = outer.inside().with("e", &e).focus(&e);
        for (path, expression) in
            [("code", "code | string"), ("e.code", "e.code ~ ''"), ("root.a['x-y'][1]", "root.a['x-y'][1] + 0")]
        {
            let found = eval(path, &scope);
            assert!(found.is_some());
            assert_eq!(found, eval(expression, &scope), "{path}");
        }
        for absent in ["none", "blank", "nothing", "nothing.deeper[3]", "e.none | digits", "e.none ~ ' ' ~ e.blank"] {
            assert_eq!(eval(absent, &scope), None, "{absent}");
        }
    }

    #[test]
    fn the_first_source_that_gives_something_wins() {
        let p = json!({"a": "", "b": [], "c": {"d": "found"}});
        let scope = Scope::new().with("p", &p).focus(&p);
        let source: Source = serde_json::from_value(json!(["a", "b", "p.x | upper", "c.d"])).unwrap();
        assert_eq!(source.text(&scope).as_deref(), Some("found"));
        let listed = toml::Value::Array(vec!["a".into(), "c.d".into()]);
        assert_eq!(Source::from_toml(&listed).unwrap().text(&scope).as_deref(), Some("found"));
    }

    #[test]
    fn conditions_and_selections_work() {
        let p = json!({"code": 104, "dates": [{"type": "SDD", "date": "1"}, {"type": "RDD", "date": "2"}], "n": 0});
        let scope = Scope::new().with("p", &p).focus(&p);
        assert!(Condition::compile("p.code in [104, 105]").unwrap().holds(&scope));
        assert!(!Condition::compile("n").unwrap().holds(&scope));
        assert!(!Condition::compile("p.missing.deep == 1").unwrap().holds(&scope));
        let source = "p.dates | selectattr('type','eq','RDD') | map(attribute='date') | first";
        assert_eq!(eval(source, &scope), Some(json!("2")));
    }

    /// Vectors made with `openssl dgst` and `base64`.
    #[test]
    fn digests_and_encodings_agree_with_other_tools() {
        let v = json!({"k": "key", "t": "The quick brown fox jumps over the lazy dog", "u": "a b*c-d_e.f~é/"});
        let scope = Scope::new().with("v", &v).focus(&v);
        for (expression, wanted) in [
            ("'TESTMR0112345678FRPrivateK' | latin1 | md5 | hex | upper", "BD183E0ADB73CEE05D7B9168F88D46D0"),
            ("t | hmac_sha256(k) | hex", "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
            ("t | hmac_sha1(k) | hex", "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"),
            ("t | sha1 | hex", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"),
            ("t | sha256 | base64", "16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI="),
            ("t | md5 | base64", "nhB9nTcrtoJr2B01QqQZ1g=="),
            ("u | urlencode", "a%20b%2Ac-d_e.f~%C3%A9%2F"),
            ("u | urlencode_java", "a+b*c-d_e.f%7E%C3%A9%2F"),
            ("'é' | latin1 | hex", "e9"),
            ("'7:47:00' | digits | zfill(6)", "074700"),
            ("'abcdef' | slice(1, -1)", "bcde"),
            ("'<a> & \"b\"' | xml", "&lt;a&gt; &amp; &quot;b&quot;"),
            ("{'b': 1, 'a': ['x']} | json", r#"{"a":["x"],"b":1}"#),
            ("('{\"a\":{\"b\":7}}' | fromjson).a.b ~ ''", "7"),
            ("('e30.eyJleHAiOjE3MDAwMDAwMDB9.x' | jwt_claims).exp ~ ''", "1700000000"),
            ("'Allemagne' | iso2", "DE"),
            ("'GEO/123' | find('GEO/([0-9]+)')", "123"),
            ("1700000000 | strftime('%Y%m%d%H%M%S', 'Asia/Shanghai')", "20231115061320"),
        ] {
            assert_eq!(eval(expression, &scope), Some(json!(wanted)), "{expression}");
        }
    }

    #[test]
    fn templates_render_and_keep_types_when_alone() {
        let (number, list) = (json!("6A 1"), json!(["1", "2"]));
        let scope = Scope::new().with("number", &number).with("numbers", &list);
        let template = |text: &str| Template::compile(text).unwrap();
        assert_eq!(template("/ids/{{ number | urlencode }}?{{ missing }}").render(&scope).unwrap(), "/ids/6A%201?");
        assert_eq!(template("{{ '}}' ~ {'a': {}} | json }}").render(&scope).unwrap(), "}}{\"a\":{}}");
        let looped = "?{% for n in numbers %}n={{ n }}{% if not loop.last %}&{% endif %}{% endfor %}";
        assert_eq!(template(looped).render(&scope).unwrap(), "?n=1&n=2");
        assert_eq!(template("{{ numbers }}").json(&scope).unwrap(), list);
        assert_eq!(template("{{ number }}").json(&scope).unwrap(), number);
        assert_eq!(template("{{ numbers | join(',') }}!").json(&scope).unwrap(), json!("1,2!"));
    }

    #[test]
    fn what_cannot_work_is_refused_when_it_is_compiled() {
        for text in ["", "a |", "a | find('\\b')", "a | nonsense", "a.b(", "'open", "a | map('x') | wrong_name(1)"] {
            assert!(Source::compile(text).is_err(), "{text}");
        }
        for text in [
            "{{ a",
            "{% for x in y %}",
            "{% include 'x' %}",
            "{% if a | nonsense %}{% endif %}",
            "{{ }}",
            "{{ a | nonsense }}",
        ] {
            assert!(Template::compile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_evaluation_ends() {
        let scope = Scope::new();
        let heavy = "range(99999) | map('string') | join | md5 | hex ~ (range(99999) | list | length)";
        let _ = Source::compile(heavy).unwrap().eval(&scope);
        let problem = Template::compile("{{ 'x' | strftime('%Y') }}").unwrap().render(&scope).unwrap_err();
        assert!(!problem.to_string().is_empty());
    }

    proptest! {
        #[test]
        fn no_text_panics_the_compiler(text in "\\PC{0,60}") {
            let _ = Source::compile(&text).map(|s| s.eval(&Scope::new()).map(std::borrow::Cow::into_owned));
            let _ = Template::compile(&text).map(|t| t.render(&Scope::new()));
            let _ = fold(&text);
            let _ = lookup_country(&text);
        }

        #[test]
        fn no_value_panics_a_filter(text in "\\PC{0,40}", width in 0_usize..50, from in any::<i64>(), to in any::<i64>()) {
            let (t, w, f, to) = (json!(text), json!(width), json!(from), json!(to));
            let scope = Scope::new().with("t", &t).with("w", &w).with("f", &f).with("to", &to);
            for expression in ["t | zfill(w)", "t | slice(f, to)", "t | slice(f)", "t | plain", "t | fromjson",
                "t | jwt_claims", "t | unbase64", "t | find(t)", "t | xml", "f | strftime(t)", "t | urlencode"] {
                let _ = Source::compile(expression).unwrap().eval(&scope);
            }
        }
    }
}
