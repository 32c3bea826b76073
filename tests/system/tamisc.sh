#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tamisc command line: every command, its exit codes, what it prints where, and what it says of broken policies.
# Prints "ok" or "not ok" for each check; exits 1 if one failed. TAMIS_BUILD names the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
TAMISC=$ROOT/${TAMIS_BUILD:-build}/bin/tamisc
DIR=$(mktemp -d) || exit 1
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
failed=0 n=0

# check NAME COMMAND...: the command succeeds
check() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' out err | head -20
		failed=1
	fi
}

# run WANTED_EXIT ARGS...: stdout and stderr into files
run() {
	local want=$1 got=0
	shift
	"$TAMISC" "$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$want" ] || { echo "exit code $got, not $want" >>err; return 1; }
}

says() { grep -qF -- "$1" err || { echo "stderr lacks: $1" >>err; return 1; }; }
prints() { grep -qF -- "$1" out || { echo "stdout lacks: $1" >>err; return 1; }; }
silent() { [ ! -s out ]; }

cat >good.yaml <<-'E'
	version: 1.0
	macros:
	  - {id: SECRETS, values: [/etc/shadow, /etc/gshadow]}
	rules:
	  - {id: secret, expression: open.file.path in SECRETS, tags: {severity: high}}
	  - {id: local, expression: connect.addr.ip in 127.0.0.0/8 && connect.addr.port == 4444}
	E
cat >open.json <<-'E'
	{"event":{"type":"open"},"open":{"file":{"path":"/etc/shadow"},"flags":0},
	 "process":{"file":{"path":"/usr/bin/cat"},"pid":42}}
	E
echo 'rules: [{id: a, expression: exec.pidd == 1}]' >bad.yaml
mkdir empty

# ---- usage
usage() { run 2 && says "usage: tamisc COMMAND" && silent; }
check "no command is a usage error" usage
help() { run 0 --help && prints "usage: tamisc COMMAND" && [ "$(wc -l <out)" -le 24 ] && [ "$(wc -L <out)" -le 100 ]; }
check "--help fits a screen" help
version() { run 0 --version && prints "tamisc $(cat "$ROOT/VERSION")"; }
check "--version" version
unknown() { run 2 compile && says 'no command "compile"'; }
check "an unknown command is a usage error" unknown
every_help() { for c in check build keygen explain test eval fields; do run 0 $c --help && prints "usage: tamisc $c " || return 1; done; }
check "every command has --help" every_help
bad_options() { for c in check build keygen explain test eval fields; do run 2 $c --nonsense && says "tamisc $c --help" || return 1; done; }
check "an unknown option is a usage error" bad_options
no_args() { for c in check build keygen explain test eval; do run 2 $c && says "try: tamisc $c --help" || return 1; done; }
check "missing arguments are usage errors" no_args

# ---- check
check_good() { run 0 check good.yaml && silent && says "2 rules" && says "0 errors"; }
check "check: a good policy" check_good
check_dir() { mkdir -p d/e && cp good.yaml d/e/x.yaml && cp good.yaml d/e/x.test.yaml && run 0 check d && says "2 rules"; }
check "check: a directory, without its test files" check_dir
check_unseen() {
	cat >unseen.yaml <<-'E'
	rules:
	  - {id: never, expression: ondemand.name == "x"}
	  - {id: part, expression: 'open.file.path == "/a" || process.user_session.k8s_uid == "x"'}
	  - {id: other, expression: open.flags == 1, filters: ['os == "windows"']}
	E
	run 0 check unseen.yaml && silent && says 'unseen.yaml:2:29: warning: the rule never can never fire with this sensor' &&
		says 'is never true' && says 'rule never' &&
		says 'unseen.yaml: 3 rules, 1 can fire with this sensor, 1 never (unseen fields), 1 for other systems' &&
		run 1 check --strict unseen.yaml && run 0 explain unseen.yaml &&
		prints 'can never fire with this sensor: it cannot observe ondemand events' && run 0 explain --json unseen.yaml &&
		prints '"never":"it cannot observe ondemand events' && run 0 build -o unseen.tpb unseen.yaml
}
check "check: rules that can never fire, and parts of rules, are told of" check_unseen
check_missing() { run 1 check none.yaml && says "cannot read none.yaml: No such file or directory" && says "help:"; }
check "check: a missing file" check_missing
check_empty_dir() { run 1 check empty && says "no policy files in this directory"; }
check "check: a directory without policies" check_empty_dir
check_strict() {
	echo 'rules: [{id: a, expression: open.flags == 1 && open.flags == 2}]' >warn.yaml
	run 0 check warn.yaml && says "warning:" && run 1 check --strict warn.yaml
}
check "check: --strict makes warnings errors" check_strict
check_json() {
	run 1 check --json bad.yaml && cat >want <<-'E' && cmp out want
		[{"column":29,"end":37,"file":"bad.yaml","help":"did you mean \"exec.pid\"?","level":"error","line":1,"start":28,"text":"unknown name \"exec.pidd\": no field, constant or macro"}]
	E
}
check "check: --json" check_json
check_stdin() { [ "$("$TAMISC" check - <bad.yaml 2>&1 | head -c 17)" = "-:1:29: error: un" ]; }
check "check: a policy on stdin" check_stdin

# broken POLICY DIAGNOSTIC: exit 1, "file:line:col: error: text", the line with a caret, and a remedy
broken() {
	printf '%b' "$1" >broken.yaml
	run 1 check broken.yaml && silent && says "broken.yaml:$2" && grep -qE '^ +\| +\^' err && says "= help: "
}
RULE='rules:\n  - id: a\n    expression: '
check "broken: an unknown field" broken "${RULE}open.fil.path == \"x\"\n" '3:17: error: unknown name "open.fil.path"'
check "broken: a wrong type" broken "${RULE}open.flags == \"x\"\n" '3:31: error: a number cannot be compared with text'
check "broken: two event types" broken "${RULE}exec.pid == open.flags\n" '3:29: error: open.flags is a field of "open" events'
check "broken: no event type" broken "${RULE}process.pid == 1\n" '3:17: error: the rule names no field of an event type'
check "broken: parentheses, in a folded block" broken "${RULE}>-\n      exec.pid == 1 &&\n      (exec.uid == 2))\n" '5:22: error: an operator or the end expected'
check "broken: a string without its end" broken "${RULE}'exec.comm == \"x'\n" '3:31: error: the string does not end'
check "broken: a bad pattern" broken "${RULE}open.file.path =~ \"/a/**b\"\n" '3:35: error: bad path pattern'
check "broken: a bad regular expression" broken "${RULE}exec.comm =~ r\"(\"\n" '3:30: error: bad regular expression'
check "broken: an empty list" broken "${RULE}exec.comm in []\n" '3:31: error: a value of the list expected'
check "broken: a variable" broken "${RULE}exec.pid == \${x}\n" '3:29: error: no variable ${x}'
check "broken: YAML" broken 'rules:\n  - id: [a\n' '2:9: error: not YAML'
check "broken: an unknown key" broken 'rules:\n  - {id: a, expr: exec.pid == 1}\n' '2:13: error: unknown key "expr"'
check "broken: a value of another shape" broken 'rules:\n  - {id: a, tags: x}\n' '2:19: error: "tags" is a map, not text'
check "broken: a macro that uses itself" broken 'macros:\n  - {id: L, expression: L}\nrules:\n  - {id: a, expression: L}\n' '2:25: error: the macro L uses itself'
several() {
	printf 'rules:\n  - {id: a, expression: exec.a == 1}\n  - {id: b, expression: exec.pid == 1}\n  - {id: c, expression: exec.c == 1}\n' >s.yaml
	run 1 check s.yaml && says "s.yaml:2:25: error:" && says "s.yaml:4:25: error:" && says "1 rule," && says "2 errors"
}
check "broken: one run shows the errors of all rules" several

# ---- keygen, build
keygen() { run 0 keygen -o k.pem && [ "$(stat -c %a k.pem)" = 600 ] && openssl pkey -in k.pem -noout && openssl pkey -pubin -in k.pub.pem -noout; }
check "keygen: keys that openssl reads" keygen
keygen_again() { cp k.pem k.old && run 1 keygen -o k.pem && says "k.pem" && cmp k.pem k.old; }
check "keygen: never overwrites a key" keygen_again
build() { run 0 build -o a.tpb --sign k.pem good.yaml && silent && says "2 rules, signed" && [ -s a.tpb ]; }
check "build: a signed bundle" build
build_same() { mkdir -p elsewhere && cp good.yaml elsewhere/ && run 0 build -o b.tpb --sign k.pem elsewhere/good.yaml && cmp a.tpb b.tpb; }
check "build: same input, same bytes" build_same
build_unsigned() { run 0 build -o u.tpb good.yaml && says "not signed"; }
check "build: without a signature it says so" build_unsigned
build_broken() { echo old >keep.tpb && run 1 build -o keep.tpb bad.yaml && says "nothing was written" && [ "$(cat keep.tpb)" = old ]; }
check "build: a broken policy leaves the old bundle" build_broken
build_keep_going() {
	{ cat good.yaml && echo '  - {id: bad, expression: exec.pidd == 1}'; } >mixed.yaml
	run 0 build --keep-going -o m.tpb mixed.yaml && says "2 rules" && says "exec.pidd"
}
check "build: --keep-going leaves bad rules out" build_keep_going

build_workload() {
	run 1 build --workload good.yaml -o w.tpb good.yaml && says "good.yaml" && [ ! -e w.tpb ] &&
		run 1 explain --workload nowhere.cap good.yaml && says "nowhere.cap: No such file"
}
check "build: a workload that is no capture is refused, and nothing is written" build_workload
build_no_key() { run 1 build -o x.tpb --sign none.pem good.yaml && says "none.pem" && says "tamisc keygen" && [ ! -e x.tpb ]; }
check "build: a missing key" build_no_key
build_bad_key() { echo junk >junk.pem && run 1 build -o x.tpb --sign junk.pem good.yaml && says "junk.pem" && [ ! -e x.tpb ]; }
check "build: a file that is no key" build_bad_key
build_no_dir() { run 1 build -o none/x.tpb good.yaml && says "none/x.tpb"; }
check "build: where it cannot write" build_no_dir

# ---- explain
explain() { run 0 explain good.yaml && prints "secret" && prints "kernel"; }
check "explain" explain
explain_rule() { run 0 explain --rule local good.yaml && prints "local" && ! grep -q secret out; }
check "explain: one rule" explain_rule
explain_json() { run 0 explain --json good.yaml && [ "$(head -c 1 out)" = "{" ] && prints '"secret"'; }
check "explain: --json" explain_json
explain_why() {
	printf 'rules:\n  - {id: a, expression: open.file.path == "/x" && process.uid != 7 && process.comm == "y"}\n' >why.yaml
	run 0 explain why.yaml && prints "rule a (open): the kernel decides 2 of 3 predicates" && prints "process.comm stays until the next exec" &&
		grep -Eq '^  path: 1 patterns, [0-9]+ states, [0-9]+ classes of bytes, [0-9]+ bytes$' out &&
		run 0 explain --json why.yaml && prints '"why":"process"' && prints '"field":"process.comm"' && prints '"of":"path"'
}
check "explain: who decides each predicate, and why" explain_why
explain_none() { run 1 explain --rule secrets good.yaml && says "did you mean secret?"; }
check "explain: a rule that is not there" explain_none

# ---- eval
eval_true() { run 0 eval -e 'open.file.path == "/etc/shadow" && open.file.name == "shadow"' open.json && [ "$(cat out)" = true ]; }
check "eval: true is exit 0" eval_true
eval_false() { run 1 eval -e 'process.pid == 1' open.json && [ "$(cat out)" = false ]; }
check "eval: false is exit 1" eval_false
eval_bad() { run 2 eval -e 'process.pid == "1"' open.json && says "expression:1:16: error:" && silent; }
check "eval: an error is exit 2" eval_bad
eval_event() { run 2 eval -e 'exec.pid == 1' open.json && says '"exec" events'; }
check "eval: another event type" eval_event
eval_vars() { echo '{"who":"cat","ids":[41,42]}' >v.json && run 0 eval --vars v.json -e 'process.file.name == "${who}" && process.pid in ${ids}' open.json; }
check "eval: --vars" eval_vars
eval_no_var() { run 2 eval --vars v.json -e 'process.pid == ${whoo}' open.json && says "did you mean \${who}?"; }
check "eval: a variable without a value" eval_no_var
eval_macro() { run 0 eval --policy good.yaml -e 'open.file.path in SECRETS' open.json; }
check "eval: --policy brings its macros" eval_macro
eval_stdin() { [ "$("$TAMISC" eval -e 'process.pid == 42' - <open.json)" = true ]; }
check "eval: an event on stdin" eval_stdin
eval_explain() {
	run 1 eval --explain -e 'open.file.name == "shadow" && (process.pid == 1 || !(process.file.name in ["cat"]))' open.json &&
		printf '%s\n' false 'false  all of' 'true     open.file.name == "shadow"   # open.file.name is "shadow"' \
			'false    any of' 'false      process.pid == 1   # process.pid is 42' \
			'false      process.file.name != "cat"   # process.file.name is "cat"' >want && cmp want out
}
check "eval: --explain" eval_explain
eval_json() { echo '{"open":' >bad.json && run 2 eval -e 'true' bad.json && says "bad.json"; }
check "eval: a broken event" eval_json
eval_missing() { run 2 eval -e 'true' none.json && says "none.json"; }
check "eval: a missing event" eval_missing

# ---- fields
fields() { run 0 fields && prints "open" && run 0 fields open && prints "open.file.path" && run 0 fields '*' && prints "process.file.path"; }
check "fields" fields
fields_json() { run 0 fields --json && [ "$(head -c 1 out)" = "{" ] && prints '"field":"open.flags"'; }
check "fields: --json" fields_json
fields_bad() { run 2 fields opne && says 'did you mean "open"?'; }
check "fields: an event type that is not there" fields_bad
fields_page() { run 0 fields --markdown && cmp out "$ROOT/docs/fields.md"; }
check "fields: docs/fields.md is what --markdown prints" fields_page

# ---- test
test_rules() { run 0 test --strict-coverage "$ROOT/rules" && says ", 0 failed"; }
check "test: the starter rules, each of which some test fires, each clause of which some test makes true" test_rules
check_rules() { run 0 check --strict "$ROOT/rules"; }
check "check: the starter rules, without a warning" check_rules
cat >good.test.yaml <<-'E'
	tests:
	  - {name: fires, event: {open: {file: {path: /etc/shadow}}}, fire: [secret]}
	  - {name: wrong <&>, event: {open: {file: {path: /etc/passwd}}}, fire: [secret]}
	E
test_fail() {
	run 1 test good.test.yaml && prints "ok good.test.yaml: fires" && prints "not ok good.test.yaml: wrong" &&
		prints "    good.test.yaml:3:74: secret did not fire" &&
		prints '        false: open.file.path in ["/etc/shadow", "/etc/gshadow"]' &&
		prints '               open.file.path is "/etc/passwd"' && says "good.yaml:6:10: no test fires local" &&
		says "2 tests, 1 failed; 1 of 2 rules fired, 1 of 2 clauses were true"
}
check "test: a failing test is exit 1, and says which value made it fail" test_fail
test_tap() { run 1 test --tap good.test.yaml && prints "TAP version 13" && prints "1..2" && prints "not ok 2 - good.test.yaml: wrong"; }
check "test: --tap" test_tap
test_junit() {
	run 1 test --junit j.xml good.test.yaml && grep -q 'tests="2" failures="1"' j.xml &&
		grep -q 'name="wrong &lt;&amp;&gt;"' j.xml && [ "$(grep -c '<failure ' j.xml)" = 1 ]
}
check "test: --junit" test_junit
# any XML parser will do
parse_xml() {
	if command -v xmllint >/dev/null; then
		xmllint --noout "$1"
	else
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$1"
	fi
}
hostile_names() {
	cp good.yaml hostile.yaml
	printf 'tests:\n  - {name: "]]><!--&\\x01\\x7f\\uFFFE\\u2028\\"\x27 \\xe9", event: {open: {file: {path: "\\x01]]>&"}}}, fire: [secret]}\n' >hostile.test.yaml
	run 1 test --junit h.xml hostile.test.yaml && parse_xml h.xml >>err 2>&1
}
check "test: --junit is XML, whatever names hold" hostile_names
test_json() {
	run 1 test --json good.test.yaml && [ "$(wc -l <out)" = 1 ] && prints '"rules":2,"rules_fired":1}' &&
		prints '"failures":[{"column":74,"detail":"false: ' && prints '"name":"fires","ok":true'
}
check "test: --json" test_json
test_list() { run 0 test --list good.test.yaml && [ "$(cat out)" = "$(printf 'good.test.yaml:2: fires\ngood.test.yaml:3: wrong <&>')" ]; }
check "test: --list" test_list
test_filter() {
	run 0 test --filter fire good.test.yaml && says "1 tests, 0 failed" && run 1 test --filter nothing good.test.yaml &&
		says 'no test has "nothing" in its name' && run 2 test --filter a --strict-coverage good.test.yaml
}
check "test: --filter" test_filter
test_strict() {
	printf 'tests:\n  - {event: {open: {file: {path: /etc/shadow}}}, fire: [secret]}\n' >strict.test.yaml
	cp good.yaml strict.yaml
	run 0 test strict.test.yaml && run 1 test --strict-coverage strict.test.yaml && says "not all rules and clauses are covered"
}
check "test: --strict-coverage" test_strict
test_update() {
	printf 'tests:\n  - name: s # kept\n    event: {open: {file: {path: /etc/shadow}}}\n    snapshot: [local] # too\n' >snap.test.yaml
	cp good.yaml snap.yaml
	chmod 640 snap.test.yaml
	ln -sf snap.test.yaml link.test.yaml
	ln -sf snap.yaml link.yaml
	run 1 test snap.test.yaml && prints 'secret fired, which "snapshot" does not name' &&
		run 0 test --update link.test.yaml && says "1 snapshot written" && [ -L link.test.yaml ] &&
		[ "$(stat -c %a snap.test.yaml)" = 640 ] && grep -qx '    snapshot: \[secret\] # too' snap.test.yaml &&
		[ "$(grep -c kept snap.test.yaml)" = 1 ] && run 0 test snap.test.yaml &&
		run 0 test --update snap.test.yaml && says "0 snapshots written" && ! ls snap.test.yaml.* 2>/dev/null
}
check "test: --update" test_update
test_none() { run 1 test empty && says "no tests found"; }
check "test: a directory without tests" test_none

# ---- lints
lints_listed() {
	local name
	for name in $(sed -n 's/^\t{ "\([a-z-]*\)",.*/\1/p' "$ROOT/policy-compiler/lint.c"); do
		grep -q "^\.It Li $name$" "$ROOT/docs/man/tamisc.1" && grep -q -- "$name" "$ROOT/packaging/completions/tamisc.bash" ||
			{ echo "$name is not in the manual and the completion" >>err; return 1; }
	done
}
check "lints: the manual and the completion have them all" lints_listed
printf 'rules:\n  - id: a\n    expression: exec.comm =~ r"^abc"\n' >lint.yaml
lint() { run 0 check lint.yaml && says "[plain-regex]" && run 1 check --strict lint.yaml && run 0 check --strict --no-lint=plain-regex lint.yaml; }
check "lints: a name, --strict, --no-lint" lint
lint_bad() { run 2 check --no-lint=plane-regex lint.yaml && says "no lint plane-regex"; }
check "lints: a name that is not there" lint_bad
lint_fix() {
	run 0 check --json lint.yaml && python3 - <<-'P'
	import json
	d = json.load(open("out"))[0]
	text = open("lint.yaml", "rb").read()
	open("fixed.yaml", "wb").write(text[:d["start"]] + d["fix"].encode() + text[d["end"]:])
	P
	run 0 check --strict fixed.yaml && grep -q 'exec.comm =~ ~"abc\*"' fixed.yaml
}
check "lints: --json has a fix that can be put in" lint_fix

# ---- fmt
cat >ugly.yaml <<-'E'
	rules:
	- expression: open.file.path==~"/x*"and open.flags >  0   # why
	  id: a
	E
fmt_out() { run 0 fmt ugly.yaml && prints '  - id: a' && prints '    expression: open.file.path =~ "/x*" && open.flags > 0  # why' && grep -q ==~ ugly.yaml; }
check "fmt: to stdout" fmt_out
fmt_check() { "$TAMISC" fmt good.yaml >formatted.yaml && run 1 fmt --check ugly.yaml formatted.yaml && [ "$(cat out)" = ugly.yaml ] && says "1 of 2"; }
check "fmt: --check names what is not formatted" fmt_check
fmt_write() {
	cp ugly.yaml w.yaml && chmod 640 w.yaml && ln -sf w.yaml l.yaml && run 0 fmt -w l.yaml && silent && [ -L l.yaml ] &&
		[ "$(stat -c %a w.yaml)" = 640 ] && run 0 fmt --check w.yaml && [ -z "$(ls w.yaml.* 2>/dev/null)" ]
}
check "fmt: -w keeps mode and link" fmt_write
fmt_same() { "$TAMISC" build -o 1.tpb ugly.yaml 2>/dev/null; run 0 explain --json ugly.yaml && mv out 1.json && run 0 explain --json w.yaml && cmp out 1.json; }
check "fmt: what it means stays" fmt_same
fmt_bad() { cp bad.yaml b.yaml && sed -i 's/ == 1//;s/pidd/pid ==/' b.yaml && cp b.yaml b.old && run 1 fmt -w b.yaml && says "b.yaml:1:" && cmp b.yaml b.old; }
check "fmt: what does not parse is an error with its place, and stays" fmt_bad
fmt_read_only() { mkdir -p ro && cp ugly.yaml ro/ && cp ugly.yaml keep && chmod 555 ro && { [ "$(id -u)" = 0 ] || run 1 fmt -w ro/ugly.yaml; } && cmp ro/ugly.yaml keep; chmod 755 ro; }
check "fmt: where it cannot write" fmt_read_only
fmt_usage() { run 2 fmt --check -w ugly.yaml && run 2 fmt && run 2 fmt ugly.yaml good.yaml && says "several files"; }
check "fmt: usage" fmt_usage
schema() { run 0 schema && prints '"additionalProperties":false' && run 0 schema test && prints '"fire"' && run 2 schema rule; }
check "schema" schema

# ---- what the pages show
manual() {
	printf 'rules:\n  - id: a\n    description: x\n    tags: {a: b}\n    expression: open.file.pth == "/etc/shadow"\n' >my.yaml
	sed -n '/^\$ tamisc check my.yaml/,/^\.Ed/p' "$ROOT/docs/man/tamisc.1" | sed '1d;$d' >want
	run 1 check my.yaml && cmp err want
}
check "tamisc(1): the example of check is what it prints" manual
guide() {
	sed -n '/^```yaml/,/^```/p' "$ROOT/docs/policies.md" | sed '1d;/^```/,$d' >guide.yaml
	run 0 check --strict guide.yaml && says "1 rule,"
}
check "docs/policies.md: the first example is a policy" guide
# example N SECTION: its Nth block of YAML in docs/policies.md; without a section, of the whole page
example() {
	awk -v want="$1" -v section="${2:-}" '/^## / { in_it = $0 == "## " section; n = section ? 0 : n }
		/^```yaml/ { on = (in_it || !section) && ++n == want; next } /^```/ { on = 0 } on' "$ROOT/docs/policies.md"
}
guide_tests() {
	mkdir -p doc && example 1 >doc/secret.yaml &&
		example 1 Tests | sed 's|^policies:.*|policies: [secret.yaml]|; /not: \[other_rule\]/d' >doc/one.test.yaml &&
		{ echo 'policies: [secret.yaml]' && example 2 Tests; } >doc/steps.test.yaml &&
		run 0 test --strict-coverage doc && says "2 tests, 0 failed"
}
check "docs/policies.md: the tests that it shows pass" guide_tests
guide_failure() {
	sed -i 's|/usr/bin/cat|/usr/bin/sudo|' doc/one.test.yaml
	run 1 test --filter "cat reads" doc && awk '/^not ok secret/ { p = 1 } /^```/ { p = 0 } p' "$ROOT/docs/policies.md" |
		sed 's/secret.test.yaml:[0-9:]*/F/; s/secret.test.yaml/F/' >want &&
		sed 's|doc/one.test.yaml:[0-9:]*|F|; s|doc/one.test.yaml|F|' out | cmp - want
}
check "docs/policies.md: a failing test looks as it shows" guide_failure

# ---- hostile input never takes long
hostile() {
	head -c 3000000 /dev/zero | tr '\0' '[' >h1.yaml
	head -c 3000000 /dev/urandom >h2.yaml
	{ printf 'rules: [{id: a, expression: "' && head -c 60000 /dev/zero | tr '\0' '(' && printf '"}]\n'; } >h3.yaml
	{ printf 'rules: [{id: a, expression: "' && head -c 60000 /dev/zero | tr '\0' '!' && printf '"}]\n'; } >h4.yaml
	for i in 1 2 3 4; do
		timeout 20 "$TAMISC" check h$i.yaml >out 2>err
		[ $? = 1 ] || return 1
	done
}
check "hostile policies are refused in time" hostile

echo "1..$n"
exit $failed
