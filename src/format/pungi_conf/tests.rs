use super::*;

/// Reads a main file, with other files beside it.
fn read(name: &str, text: &str, files: &[(&str, &str)]) -> Result<PungiConf, PungiConfError> {
    PungiConf::parse(name, text.as_bytes(), &mut |path| {
        let found = files.iter().find(|(name, _)| *name == path.as_str());
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "there is no such file".into())
    })
}

fn parse(text: &str) -> Result<PungiConf, PungiConfError> {
    read("p.conf", text, &[])
}

/// A value in one line, as Python prints it.
fn shown(node: &Node) -> String {
    let list = |nodes: &[Node]| nodes.iter().map(shown).collect::<Vec<_>>().join(", ");
    match &node.value {
        Value::None => "None".into(),
        Value::Flag(flag) => if *flag { "True" } else { "False" }.into(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => format!("<{text}>"),
        Value::List(nodes) => format!("[{}]", list(nodes)),
        Value::Tuple(nodes) => format!("({})", list(nodes)),
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Each row: a value, and what kobo 0.42 makes of it.
#[test]
fn reads_values_as_kobo_does() {
    for (text, expected) in [
        ("'a'", "<a>"),
        ("\"it's\"", "<it's>"),
        (r"'^\\.*\d$'", r"<^\\.*\d$>"),
        (r"'it\'s'", r"<it\'s>"),
        ("u'x'", "<'x>"),
        ("\"\"\"a\nb\"\"\"", "<\"\"a\nb\"\">"),
        ("''", "<>"),
        ("7", "7"),
        ("-7", "-7"),
        ("1_000", "1000"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("0", "0"),
        ("None", "None"),
        ("[True, False,]", "[True, False]"),
        ("[,,1,,2]", "[1, 2]"),
        ("['a' 'b']", "[<a>, <b>]"),
        ("('a' 'b')", "(<a>, <b>)"),
        ("(1)", "(1)"),
        ("()", "()"),
        ("{}", "{}"),
        ("{'a': 1 'b': 2}", "{<a>: 1, <b>: 2}"),
        ("{\n 'a': [ # a comment\n 1,\n],\n}", "{<a>: [1]}"),
        ("[('^S$', {'*': ['x', 'y']}),]", "[(<^S$>, {<*>: [<x>, <y>]})]"),
        ("{1: 1, True: 2}", "{1: 1, True: 2}"),
        ("\\\n  'a'", "<a>"),
        ("\n\n'a'", "<a>"),
        ("'%s-%s' % ('a', 7)", "<a-7>"),
        ("'%s' % 'b'", "<b>"),
        ("'%s' % '%s' % 'c'", "<c>"),
        ("'%(k)s%%' % {'k': None}", "<None%>"),
        ("'%03d|%-4s|' % (7, 'a')", "<007|a   |>"),
        ("['%s' % 'a' 'b']", "[<a>, <b>]"),
        ("'100%'", "<100%>"),
    ] {
        let conf = parse(&format!("x = {text}\ny = 1\n")).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(conf.get("x").unwrap()), expected, "{text}");
        assert_eq!(shown(conf.get("y").unwrap()), "1", "{text}");
    }
    let conf = parse("a = 'x'\nb = [a, a]\nc = {a: b}\na = 2").unwrap();
    assert_eq!(shown(conf.get("c").unwrap()), "{<x>: [<x>, <x>]}");
    assert_eq!(shown(conf.get("a").unwrap()), "2");
    let remark = parse("x = ['a',\n 'b'\n 'c']").unwrap().remarks;
    assert_eq!(remark.len(), 1);
    assert_eq!(remark[0].0.to_string(), "p.conf:3:2");
}

/// Each row: a text, and the place and words of what is wrong.
#[test]
fn refuses_what_kobo_refuses() {
    for (text, place, message) in [
        ("x = ", "1:5", "a value is expected here, not the end"),
        ("x = [1, 2", "1:5", "this '[' has no ']'"),
        ("x = [}", "1:6", "a value is expected here, not '}'"),
        ("\n x == 1", "2:5", "a value is expected"),
        ("x 1", "1:3", "a '=' is expected behind 'x'"),
        ("= 1", "1:1", "the name of a variable is expected here"),
        ("import os", "1:1", "an import is written 'from FILE import *'"),
        ("class = 1", "1:1", "a word of Python is no name"),
        ("_x = 1", "1:1", "does not begin with '_'"),
        ("x = y", "1:5", "there is no variable 'y'"),
        ("x = open('/etc/passwd')", "1:5", "there is no variable 'open'"),
        ("x = 'a' + 'b'", "1:9", "the name of a variable is expected here"),
        ("x = 'a", "1:5", "this string does not end"),
        ("x = '''a'", "1:5", "this string does not end"),
        ("x = f'{a}'", "1:5", "there is no string that begins with 'f'"),
        ("x = 0644", "1:5", "no decimal number"),
        ("x = 0x10", "1:5", "no decimal number"),
        ("x = 99999999999999999999", "1:5", "no decimal number"),
        ("x = {'a': 1, 'a': 2}", "1:14", "the key ''a'' is in this map already"),
        ("x = {'a' 1}", "1:10", "a ':' is expected"),
        ("x = {[]: 1}", "1:6", "a string, a number or a name is expected"),
        ("x = '%s' % ()", "1:5", "fewer values"),
        ("x = '%s' % (1, 2)", "1:5", "more values"),
        ("x = '%s' % {}", "1:5", "names none of its keys"),
        ("x = '%(a)s' % {}", "1:5", "lack 'a'"),
        ("x = '%s' % [1]", "1:5", "no string or number"),
        ("x = '%d' % 'a'", "1:5", "no string or number"),
        ("x = '%99999999s' % 'a'", "1:5", "too wide"),
        ("x = '%r' % 'a'", "1:5", "only %s"),
        ("x = \u{1}", "1:5", "has no meaning here"),
        ("from x", "1:1", "'from' without 'import'"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("p.conf:{place}: ")), "{text}: {error}");
        assert!(error.contains(message), "{text}: {error}");
    }
    let error = PungiConf::parse("p.conf", b"x = 1\n\xff", &mut |_| Err("".into())).unwrap_err().to_string();
    assert_eq!(error, "p.conf:2:1: the text is not UTF-8");
}

#[test]
fn imports_files_of_the_folder() {
    let files = [
        ("general.conf", "a = 1\nb = 2\nc = branch\nfrom sub/deep import *\n"),
        ("sub/deep.conf", "d = 4\nfrom ../side-1.x import e\n"),
        ("side-1.x.conf", "e = 5\nf = 6"),
    ];
    let main = "global branch\nbranch = 'f41'\na = 0\nfrom general import *  # all\nb = 3";
    let conf = read("conf/main.conf", main, &files).unwrap();
    let all: Vec<_> =
        conf.settings.iter().map(|(name, setting)| format!("{name}={}", shown(&setting.node))).collect();
    assert_eq!(all, ["a=1", "b=3", "branch=<f41>", "c=<f41>", "d=4", "e=5"]);
    assert_eq!(conf.settings["e"].place.to_string(), "conf/side-1.x.conf:1:1");
    let some =
        read("main.conf", "from general import a, c", &[("general.conf", "a = 1\nc = 2\nd = 3")]).unwrap();
    assert_eq!(some.settings.keys().collect::<Vec<_>>(), ["a", "c"]);

    for (main, message) in [
        ("from nowhere import *", "'nowhere.conf' cannot be imported"),
        ("from main import *", "is imported by itself"),
        ("from loop import *", "is imported by itself"),
        ("from ../x import *", "leads out of the folder"),
        ("from /etc/x import *", "leads out of the folder"),
        ("from sub/../../x import *", "leads out of the folder"),
        ("from general import z", "'general.conf' does not set 'z'"),
        ("from general import (a, c)", "a name or '*' is expected here"),
    ] {
        let files = [("loop.conf", "from ./main import *"), ("general.conf", "a = 1\nc = 2")];
        let error = read("main.conf", main, &files).unwrap_err().to_string();
        assert!(error.contains(message), "{main}: {error}");
    }
}

#[test]
fn reads_json_with_places() {
    let conf =
        read("p.json", "{\"a\": [1, -2.5e1, null, true],\n \"b\": {\"c\": \"\\u00e9\\n\"}}", &[]).unwrap();
    assert_eq!(shown(conf.get("a").unwrap()), "[1, -25.0, None, True]");
    assert_eq!(shown(conf.get("b").unwrap()), "{<c>: <é\n>}");
    assert_eq!(conf.settings["b"].place.to_string(), "p.json:2:2");
    for (text, message) in [
        ("{\"a\": }", "p.json:1:7: this is not JSON"),
        ("[1]", "p.json:1:1: the configuration is no JSON object"),
        ("{\"a\": 1, \"a\": 2}", "is in this map already"),
    ] {
        let error = read("p.json", text, &[]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn what_is_hostile_is_bounded() {
    let nested = |open: &str, count: usize| format!("x = {}", open.repeat(count));
    let chain = |first: &str, count: usize, next: &dyn Fn(String) -> String| {
        let lines = (0..count).map(|at| format!("a{} = {}\n", at + 1, next(format!("a{at}"))));
        format!("a0 = {first}\n{}", lines.collect::<String>())
    };
    let doubled = chain("[1, 2]", 40, &|last| format!("[{last}, {last}]"));
    let deep = chain("[]", 100_000, &|last| format!("[{last}]"));
    let long = chain("'aaaaaaaaaaaaaaaa'", 40, &|last| format!("'%s%s' % ({last}, {last})"));
    for (text, message) in [
        (nested("[", 100_000), "nested deeper"),
        (nested("{1:(", 100_000), "nested deeper"),
        (nested("'%s' % ", 100_000), "nested deeper"),
        (nested("-", 10), "a number is expected"),
        (doubled, "comes to more than"),
        (deep, "nested deeper"),
        (long, "bytes of strings that are made of others"),
        (format!("x = '{}'", "a".repeat(LARGEST)), "more than 4194304 bytes"),
        (format!("x = [{}]", "1,".repeat(MOST_VALUES)), "comes to more than"),
        ("from a import *\n".into(), "is imported by itself"),
        ("from b import *\n".repeat(100), "more than 64 files"),
        ("from c0 import *\n".into(), "more than 64 files"),
    ] {
        let error = PungiConf::parse("p.conf", text.as_bytes(), &mut |path| {
            let next = path.as_str().strip_prefix('c').and_then(|rest| rest.strip_suffix(".conf"));
            Ok(match next.and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => format!("from c{0} import *\nfrom c{0} import *\n", number + 1).into_bytes(),
                None if path.as_str() == "a.conf" => b"from a import *".to_vec(),
                None => b"b = 1".to_vec(),
            })
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(error.len() < 300);
    }
}
