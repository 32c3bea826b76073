#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `tamisc schema` against a validator that others wrote: the policies and tests of rules/ are valid, and those of
# ../shared/secl/policies where that is here; broken ones are refused, by the schema and by tamisc alike.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
python3 -c 'import jsonschema, yaml' 2>/dev/null || { echo "skip: python3-jsonschema or python3-yaml is not installed"; exit 77; }
BUILD=$BUILD python3 - <<'PYTHON'
import glob, json, os, subprocess, sys, tempfile
import jsonschema, yaml

tamisc = os.environ["BUILD"] + "/bin/tamisc"


class Loader(yaml.SafeLoader):
    """YAML as editors read it: a date is text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
validators, count, failed = {}, 0, False


def ok(good, name, why=""):
    global count, failed
    count += 1
    failed |= not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        print(f"# {why}")


def errors(kind, text):
    return [e.json_path + ": " + e.message[:200] for e in validators[kind].iter_errors(yaml.load(text, Loader))]


def accepts(kind, text):
    with tempfile.NamedTemporaryFile("w", suffix=".test.yaml" if kind == "test" else ".yaml") as f:
        f.write(text)
        f.flush()
        command = ["test", f.name] if kind == "test" else ["check", f.name]
        return "error:" not in subprocess.run([tamisc, *command], capture_output=True, text=True).stderr


for kind in ("policy", "test"):
    schema = json.loads(subprocess.run([tamisc, "schema", kind], capture_output=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validators[kind] = jsonschema.Draft202012Validator(schema)

files = sorted(glob.glob("rules/**/*.yaml", recursive=True))
for f in files:
    found = errors("test" if f.endswith(".test.yaml") else "policy", open(f).read())
    ok(not found, f, found)
ok(len(files) > 40, "there were rules to look at", files)
published = sorted(glob.glob("../shared/secl/policies/*"))
for f in published:
    found = errors("policy", open(f).read())
    ok(not found, f, found)
if not published:
    print("ok - # SKIP ../shared/secl/policies is not here")

E = "expression: open.file.path == \"/x\""
good = [
    ("policy", f"rules: [{{id: a, {E}}}]"),
    ("policy", f"version: 2026-01-01\nrules: [{{id: a, {E}, tags: {{n: 1, s: x}}, every: 10m}}]"),
    ("policy", f"rules: [{{id: a, {E}, every: 1000, disabled: yes, priority: 3}}]"),
    ("policy", f"rules: [{{id: a, {E}, description: , tags: , filters: }}]"),
    ("policy", "rules: [{id: a, disabled: true}]"),
    ("policy", "macros: [{id: A, values: [x, 1]}, {id: B, expression: '1 | 2'}]"),
    ("policy", "macros:\nrules:"),
]
bad = [
    ("policy", "[]"),
    ("policy", "text"),
    ("policy", "rule: []"),
    ("policy", "rules: {id: a}"),
    ("policy", "type: other"),
    ("policy", "rules: [a]"),
    ("policy", f"rules: [{{{E}}}]"),
    ("policy", f"rules: [{{id: a b, {E}}}]"),
    ("policy", f"rules: [{{id: [a], {E}}}]"),
    ("policy", "rules: [{id: a}]"),
    ("policy", "rules: [{id: a, expression: {}}]"),
    ("policy", f"rules: [{{id: a, {E}, expresion: x}}]"),
    ("policy", f"rules: [{{id: a, {E}, disabled: maybe}}]"),
    ("policy", f"rules: [{{id: a, {E}, disabled: 1}}]"),
    ("policy", f"rules: [{{id: a, {E}, priority: high}}]"),
    ("policy", f"rules: [{{id: a, {E}, every: soon}}]"),
    ("policy", f"rules: [{{id: a, {E}, every: -5}}]"),
    ("policy", f"rules: [{{id: a, {E}, tags: [x]}}]"),
    ("policy", f"rules: [{{id: a, {E}, tags: {{x: [y]}}}}]"),
    ("policy", f"rules: [{{id: a, {E}, filters: os == \"linux\"}}]"),
    ("policy", f"rules: [{{id: a, {E}, combine: merge}}]"),
    ("policy", f"rules: [{{id: a, {E}, override_options: {{field: [all]}}}}]"),
    ("policy", f"rules: [{{id: a, {E}, actions: {{kill: {{}}}}}}]"),
    ("policy", f"rules: [{{id: a, {E}, actions: [{{kil: {{signal: SIGKILL}}}}]}}]"),
    ("policy", f"rules: [{{id: a, {E}, actions: [{{kill: {{sig: SIGKILL}}}}]}}]"),
    ("policy", f"rules: [{{id: a, {E}, actions: [{{kill: {{scope: world}}}}]}}]"),
    ("policy", "macros: [{id: A}]"),
    ("policy", "macros: [{id: A, expression: '1', values: [x]}]"),
    ("policy", "macros: [{id: A.b, expression: '1'}]"),
    ("policy", "macros: [{id: A, values: x}]"),
    ("policy", "macros: [{id: A, values: [{x: y}]}]"),
    ("policy", "tests: [{name: x, fire: [a], event: 3}]"),
    ("test", "tests: {}"),
    ("test", "policies: [x.yaml]"),
    ("test", "tests: [{name: x, event: {open: {}}, fires: [a]}]"),
    ("test", "tests: [{name: x, event: [], fire: [a]}]"),
    ("test", "tests: [{name: x, event: {open: {}}, fire: a}]"),
]
for kind, text in good:
    ok(not errors(kind, text), "valid: " + text.replace("\n", "; "), errors(kind, text))
    ok(accepts(kind, text), "accepted: " + text.replace("\n", "; "))
for kind, text in bad:
    ok(errors(kind, text), f"{kind} not valid: {text}")
    if not text.startswith("tests: [{name: x, fire"):  # check does not run the tests in a policy
        ok(not accepts(kind, text), f"{kind} refused: {text}")
print(f"1..{count}")
sys.exit(failed)
PYTHON
