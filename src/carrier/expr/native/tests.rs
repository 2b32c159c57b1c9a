//! The native form against the engine: over every expression of the built-in definitions, and over generated ones.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::carrier::expr::source::Compiled;
use crate::carrier::expr::{Scope, Source, values};

/// Both ways over one scope; `None` where there is no native form or it is not sure.
fn both(text: &str, scope: &Scope<'_>) -> Option<(Option<Value>, Option<Value>)> {
    let tree = super::parse(text)?;
    let compiled = Compiled::new(text).expect("what has a native form compiles");
    let native = crate::carrier::expr::got::Got::of(tree.eval(scope).ok()?)?;
    let native = native.json().map(std::borrow::Cow::into_owned);
    let by_engine = compiled.run(scope).unwrap_or_else(|problem| panic!("the engine fails where we do not: {problem}"));
    Some((native, values::to_json(&by_engine)))
}

fn written(text: &str, scope: &Scope<'_>) -> Option<(String, String)> {
    let compiled = Compiled::new(text).ok()?;
    let mut native = String::new();
    compiled.write(scope, &mut native).ok()?;
    Some((native, values::text(&compiled.run(scope).ok()?)))
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0_i64), Just(1), Just(200), Just(-3), any::<i64>()].prop_map(Value::from),
        prop_oneof![Just(0.0_f64), Just(1.0), Just(2.5), Just(-0.0)].prop_map(Value::from),
        Just(json!(u64::MAX)),
        prop_oneof![
            Just(""),
            Just(" "),
            Just("A"),
            Just("a b"),
            Just("1"),
            Just("200"),
            Just("ÉT\u{e9}"),
            Just("7:47"),
            Just("France")
        ]
        .prop_map(Value::from),
    ]
}

/// Values whose fields have the few names that the generated expressions ask for.
fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((prop_oneof![Just("a"), Just("b"), Just("c"), Just("get")], inner), 0..4).prop_map(
                |fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
            ),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(value(), 3)
        .prop_map(|mut all| json!({"a": all.remove(0), "b": all.remove(0), "c": all.remove(0)}))
}

fn constant() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("'A'"),
        Just("''"),
        Just("'1'"),
        Just("\"a b\""),
        Just("1"),
        Just("200"),
        Just("0"),
        Just("-1"),
        Just("none"),
        Just("true"),
        Just("False"),
        Just("[]"),
        Just("['A', '1']"),
        Just("[1, 200, 'A']"),
    ]
    .prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a"),
        Just("b"),
        Just("p.a"),
        Just("p.b"),
        Just("p.c"),
        Just("p.a.b"),
        Just("p.b[0]"),
        Just("p.c[-1].a"),
        Just("p"),
        Just("missing"),
        Just("p.missing.deep"),
        Just("p['c'].b"),
        Just("root.a"),
        Just("root"),
        Just("p.a[7]"),
    ]
    .prop_map(str::to_owned)
}

/// Expressions with brackets only where they were drawn, so that the binding of operators is tried, too.
fn expression() -> impl Strategy<Value = String> {
    let filters = prop_oneof![
        Just("first"),
        Just("last"),
        Just("list"),
        Just("string"),
        Just("upper"),
        Just("lower"),
        Just("digits"),
        Just("fold"),
        Just("plain"),
        Just("iso2"),
        Just("urlencode"),
        Just("zfill(4)"),
        Just("slice(1)"),
        Just("slice(0, -1)"),
        Just("slice(-2, 9)"),
        Just("default('x')"),
        Just("default(p.b)"),
        Just("replace('a', 'bb')"),
        Just("find('[0-9]+')"),
        Just("find('(a) (b)')"),
        Just("map(attribute='a')"),
        Just("map(attribute='a.b')"),
        Just("selectattr('a', 'eq', 'A')"),
        Just("selectattr('a', 'eq', p.b)"),
        Just("selectattr('b.a', 'in', ['A', 1])"),
        Just("selectattr('a', 'in', ['B', 'A', '1'])"),
        Just("rejectattr('a', 'in', ['B', 'A', '1'])"),
        Just("rejectattr('a', 'eq', p.b)"),
        Just("selectattr('a', 'in', p.c)"),
        Just("selectattr('c', '==', none)"),
        Just("selectattr('a')"),
        Just("select"),
        Just("join"),
        Just("join(', ')"),
        Just("length"),
        Just("flat"),
        Just("map(attribute='b') | flat"),
        Just("find('^(\\w+)\\s*\\\\b')"),
        Just("find(\"it\\'s|\\d\\/\")"),
    ];
    let operators = prop_oneof![
        Just("or"),
        Just("and"),
        Just("=="),
        Just("!="),
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">="),
        Just("in"),
        Just("not in"),
        Just("~"),
    ];
    prop_oneof![4 => name(), 2 => constant()].prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            3 => (inner.clone(), filters.clone()).prop_map(|(of, filter)| format!("{of} | {filter}")),
            3 => (inner.clone(), operators.clone(), inner.clone()).prop_map(|(a, how, b)| format!("{a} {how} {b}")),
            1 => inner.clone().prop_map(|of| format!("not {of}")),
            2 => inner.clone().prop_map(|of| format!("({of})")),
            1 => (inner.clone(), prop_oneof![Just(".a"), Just("[0]"), Just("[-2]"), Just("['b']")])
                .prop_map(|(of, step)| format!("({of}){step}")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} if {b}")),
            1 => (inner.clone(), prop_oneof![Just("is defined"), Just("is not defined"), Just("is undefined")])
                .prop_map(|(of, test)| format!("{of} {test}")),
            1 => inner.prop_map(|key| format!("{{'A': 'x', '1': 'y'}}[{key}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn the_native_form_gives_what_the_engine_gives(text in expression(), p in object(), root in value()) {
        let scope = Scope::new().with("root", &root).with("p", &p).focus(&p);
        if let Some((native, by_engine)) = both(&text, &scope) {
            prop_assert_eq!(native, by_engine, "{}", &text);
        }
        if let Some((native, by_engine)) = written(&text, &scope) {
            prop_assert_eq!(native, by_engine, "written: {}", &text);
        }
        if let Ok(source) = Source::compile(&text) {
            let whole = source.eval(&scope).map(std::borrow::Cow::into_owned);
            let of_whole = whole.iter().flat_map(super::super::objects_of).cloned().collect::<Vec<_>>();
            let objects = source.objects(&scope).unwrap_or_default();
            prop_assert_eq!(objects.into_iter().map(std::borrow::Cow::into_owned).collect::<Vec<_>>(), of_whole, "{}", &text);
        }
    }
}

/// Without this, a parser that understands nothing would pass.
#[test]
fn the_common_forms_have_a_native_form_that_is_sure() {
    let p = json!({"a": "A", "n": 7, "t": "7:47:00", "many": [{"of": [{"k": "x", "v": 1}]}, {}, {"of": [{"k": "z", "v": 2}, {"k": "y", "v": 3}]}], "list": [{"type": "X", "in": {"v": "1"}}, {"type": "Y", "in": {"v": "2"}}]});
    let scope = Scope::new().with("p", &p).focus(&p);
    for (text, wanted) in [
        ("p.missing or p.a", json!("A")),
        ("p.a ~ ' ' ~ n ~ p.missing", json!("A 7")),
        ("p.n >= 5 and p.n <= 7", json!(true)),
        ("'x' if p.a == 'A' else none", json!("x")),
        ("p.a not in ['B', 'C']", json!(true)),
        ("(p.list | selectattr('type', 'eq', 'Y') | first).in.v", json!("2")),
        ("p.list | selectattr('in.v', 'in', ['1', '3']) | map(attribute='type') | list", json!(["X"])),
        ("p.t | digits | zfill(8) | slice(2, 6)", json!("0747")),
        ("{'A': 'first', 'B': 'second'}[p.a]", json!("first")),
        ("p.missing | default('none') | upper | replace('NO', 'O')", json!("ONE")),
        ("not p.a is defined or p.missing is not defined", json!(true)),
        ("[p.missing, p.a, p.t] | select | join('/')", json!("A/7:47:00")),
        (r"p.t | find('^(\d+):\d\d') | length", json!(1)),
        ("p.list | selectattr('in') | length", json!(2)),
        ("p.many | map(attribute='of') | flat | selectattr('k', 'eq', 'y') | map(attribute='v') | first", json!(3)),
    ] {
        let (native, by_engine) = both(text, &scope).unwrap_or_else(|| panic!("no native form, or not sure: {text}"));
        assert_eq!(native, Some(wanted), "{text}");
        assert_eq!(native, by_engine, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_left_to_the_engine() {
    for text in [
        "a + 1",
        "a < b < c",
        "a.b()",
        "a | sort",
        "range(3)",
        "'a' 'b'",
        "1.5",
        "a[b]",
        "'\\n'",
        "'\\x41'",
        "'\\b'",
        "(a, b)",
        "a | map('upper')",
    ] {
        assert!(super::parse(text).is_none(), "{text}");
    }
}

/// Most expressions of the definitions that come with us run without the engine.
#[test]
fn the_definitions_are_mostly_native() {
    let parsed = [
        "p.returnCode in [101, 104, 105, 109]",
        "not p.scanEvents and p.error.code",
        "e.eventDescription ~ (' (' ~ e.exceptionDescription ~ ')' if e.exceptionDescription else '')",
        "(root.trackResponse.shipment[0].package | selectattr('trackingNumber', 'eq', number) | first) or root.trackResponse.shipment[0].package[0]",
    ];
    for text in parsed {
        assert!(super::parse(text).is_some(), "{text}");
    }
}
