/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes that people make, and what they are told: the place, what is wrong, what to do. A text that changes is to be read
 * by somebody: it stands here in full.
 */
#include "tests/unit/policy_bench.h"

#include "policy-compiler/lint.h"

/* One rule with this condition; its first diagnostic as "column: level: text (help)". Names of lints are in brackets. */
static const struct {
	const char *condition, *told;
} mistakes[] = {
	{ "open.file.pth == \"/x\"",
	  "7: error: unknown name \"open.file.pth\": no field, constant or macro (did you mean \"open.file.path\"?)" },
	{ "opne.file.path == \"/x\"",
	  "7: error: unknown name \"opne.file.path\": no field, constant or macro (did you mean \"open.file.path\"?)" },
	{ "open.file.path = \"/x\"", "22: error: nothing begins with '=' (equality is ==)" },
	{ "open.file.path == '/x'", "25: error: nothing begins with ''' (strings have double quotes)" },
	{ "open.file.path == /etc/passwd", "25: error: nothing begins with '/' (text needs double quotes)" },
	{ "open.file.path == \"/x",
	  "25: error: the string does not end (close it with \"; a \\ before the \" keeps it open)" },
	{ "open.file.path in (\"/a\", \"/b\")",
	  "25: error: a list expected, not ( (write [ ... ], a network, or the name of a macro or field that is a list)" },
	{ "open.file.path in [\"/a\" \"/b\"]",
	  "31: error: \",\" or \"]\" expected, not \"/b\" (the values of a list are separated by commas)" },
	{ "open.file.path in [\"/a\", \"/b\",]",
	  "37: error: a value of the list expected, not ] (remove the comma before it)" },
	{ "open.file.path in []", "26: error: a value of the list expected, not ] (a list has at least one value)" },
	{ "open.file.path == [\"/a\"]",
	  "25: error: one value expected, not [ (compare with a list by \"in\", \"not in\" or \"allin\")" },
	{ "open.file.path == \"/a\" or",
	  "1: error: a value expected at the end of the expression (a value is a field, a constant, a macro, a number or a \"string\")" },
	{ "open.file.path == \"/a\" & open.flags > 0",
	  "25: error: & wants a number; this is text (& and | join the bits of numbers; conditions are joined by && and ||)" },
	{ "open.file.path == \"/a\" | open.flags == 1",
	  "25: error: | wants a number; this is text (& and | join the bits of numbers; conditions are joined by && and ||)" },
	{ "open.flags & O_CREATE > 0",
	  "20: error: unknown name \"O_CREATE\": no field, constant or macro (did you mean \"O_CREAT\"?)" },
	{ "open.flags == 5 -3",
	  "23: error: an operator expected, not -3 (a sign belongs to the number behind it: write a space between, as in 5 - 3)" },
	{ "open.flags == 0x10", "21: error: a number goes over into a name (numbers are decimal: write 16)" },
	{ "open.flags == 0755",
	  "21: warning: numbers are decimal, also with a leading zero [leading-zero] (for the octal number write 493, or the constants of its bits, as in S_ISUID | S_IRUSR)" },
	{ "open.file.path =~ \"/a/**b\"",
	  "25: error: bad path pattern \"/a/**b\": \"**\" in \"**b\": it has to be a whole component, after a '/' (** stands alone between two / or behind the last one: /etc/**, /run/**/token)" },
	{ "exec.comm =~ \"a**\"",
	  "20: error: bad pattern \"a**\": \"**\" at character 2: this field is no path, use \"*\" (one * stands for any text here, / included)" },
	{ "open.file.path =~ r\"abc\"",
	  "25: error: a path is not compared with a regular expression: \"abc\": refused (write a pattern: * stays within one name, a name ** stands for any number of them)" },
	{ "connect.addr.ip in 10.0.0.1",
	  "26: error: a list expected, not 10.0.0.1 (write the one address as a network, 10.0.0.1/32, or in brackets: [10.0.0.1])" },
	{ "connect.addr.ip == \"10.0.0.1\"",
	  "26: error: an address cannot be compared with text (write the address without quotes)" },
	{ "connect.addr.ip in [10.0.0.0/33]",
	  "27: error: not an address: 10.0.0.0/33 (write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32; quote it if text is meant)" },
	{ "connect.addr.ip == 10.0.0",
	  "26: error: a number goes over into a name (numbers are decimal; units of time are ms, s, m and h; text needs quotes)" },
	{ "connect.addr.port == \"80\"",
	  "28: error: a number cannot be compared with text (write the number without quotes)" },
	{ "open.file.path == 5", "25: error: text cannot be compared with a number (write it in quotes)" },
	{ "open.flags == \"O_CREAT\"",
	  "21: error: a number cannot be compared with text (constants have no quotes: O_CREAT)" },
	{ "open.flags",
	  "7: error: a rule wants true or false; this is a number (compare it with something, as in \"... > 0\" or \"... != \\\"\\\"\")" },
	{ "open.file.path == \"/a\" && exec.comm == \"b\"",
	  "33: error: exec.comm is a field of \"exec\" events, but open.file.path before it is of \"open\" events (a rule is about one event type: write two rules)" },
	{ "process.uid == 0",
	  "7: error: the rule names no field of an event type, so it is not known when to ask it (add a condition on the event, such as exec.file.path != \"\" or open.file.path == \"...\")" },
	{ "process.ancestors[A].file.name != \"sh\" && open.flags == 1",
	  "7: warning: this holds as soon as some ancestor is another, which is nearly always so [some-ancestor] (without [A] it says that no ancestor is)" },
	{ "process.ancestors[A].comm == \"a\" && process.ancestors[B].comm == \"b\" && open.flags == 1",
	  "43: error: a rule has one iterator: process.ancestors[A] and process.ancestors[B] (use the same letter on the same list, or two rules)" },
	{ "open.file.path == \"C:\\temp\"",
	  "25: warning: strings have no escapes: the \\ is a part of the text [literal-backslash] (r\"...\" is a regular expression, where \\ means something)" },
	{ "exec.comm == \"a\\\"b",
	  "20: error: the string does not end (close it with \"; a \\ before the \" keeps it open)" },
	{ "exec.comm == \"tab\\t\"",
	  "20: warning: strings have no escapes: the \\ is a part of the text [literal-backslash] (r\"...\" is a regular expression, where \\ means something)" },
	{ "(open.flags == 1",
	  "1: error: an operator or \")\" expected at the end of the expression (a \"(\" before this is still open)" },
	{ "open.flags == 1)", "22: error: an operator or the end expected, not ) (no \"(\" is open here)" },
	{ "!open.flags == 1",
	  "8: error: ! wants true or false; this is a number (! binds tighter than a comparison: write !( ... ), or compare by != or not in)" },
	{ "open.flags == 1 and not open.mode in [1]",
	  "31: error: ! wants true or false; this is a number (! binds tighter than a comparison: write !( ... ), or compare by != or not in)" },
	{ "open.file.path not \"/x\"",
	  "26: error: \"in\" behind \"not\" expected, not \"/x\" (join two conditions by && or ||)" },
	{ "open.file.path !in [\"/x\"]",
	  "22: error: an operator or the end expected, not ! (the opposite of in is not in, that of a condition !( ... ))" },
	{ "open.file.path contains \"x\"",
	  "22: error: an operator or the end expected, not contains (write =~ \"*text*\", or for a field with several values: \"text\" in field)" },
	{ "open.file.path startswith \"/x\"",
	  "22: error: an operator or the end expected, not startswith (write =~ \"text*\", for all below a directory =~ \"/dir/**\")" },
	{ "open.file.path == \"/a\" AND open.flags == 1",
	  "30: error: an operator or the end expected, not AND (operators are lower case: and, or &&)" },
	{ "open.file.path == \"/a\" && && open.flags == 1",
	  "33: error: a condition expected, not && (an operator stands between two conditions)" },
	{ "SHELS == 1 && open.flags == 1",
	  "7: error: unknown name \"SHELS\": no field, constant or macro (did you mean \"SHELLS\"?)" },
	{ "exec.file.name in SHELS",
	  "25: error: unknown name \"SHELS\": no field, constant or macro (did you mean \"SHELLS\"?)" },
	{ "exec.file.name in SHELLS && exec.comm in SHELLS.length",
	  "48: error: unknown name \"SHELLS.length\": no field, constant or macro (`tamisc fields` lists the fields of every event)" },
	{ "exec.args_flags == \"-c\"",
	  "26: warning: flags and options have no dashes here: this is never found [dashed-flag] (write \"c\")" },
	{ "exec.comm =~ r\"(abc\"",
	  "20: error: bad regular expression \"(abc\": character 1: missing ')' (the syntax is RE2's: no back-references, no look-around)" },
	{ "open.retval == EPERMM",
	  "22: error: unknown name \"EPERMM\": no field, constant or macro (did you mean \"EPERM\"?)" },
	{ "open.retval == 5m",
	  "7: warning: open.retval is not a time, but is compared as one (a duration is compared with the time since the field's time)" },
	{ "connect.addr.ip == 0.0.0.0",
	  "26: error: the all-zero address is no address of a host (write 0.0.0.0/32 or ::/128 where the unspecified address is meant)" },
	{ "open.flags > 1 > 0",
	  "20: error: a number cannot be compared with true or false (`tamisc fields` shows the type of every field)" },
	{ "open.file.path == \"/etc/*\"",
	  "25: warning: the * in this string is no wildcard: it is compared as it is [literal-star] (write ~\"/etc/*\" if a pattern is meant)" },
	{ "open.file.path in \"/etc\"",
	  "25: error: a list expected, not \"/etc\" (one value is compared by == or =~; a list has brackets)" },
	{ "exec.comm ~= \"x*\"", "17: error: nothing begins with '~' (a pattern is matched by =~)" },
	{ "exec.comm <> \"x\"", "18: error: a value expected, not > (what is not equal is !=)" },
	{ "exec.comm === \"x\"", "19: error: nothing begins with '=' (equality is ==)" },
	{ "open.flags == true",
	  "21: error: a number cannot be compared with true or false (`tamisc fields` shows the type of every field)" },
	{ "exec.comm == null",
	  "20: error: unknown name \"null\": no field, constant or macro (text needs quotes; define a macro of this name, or check the names of constants)" },
	{ "open.file.path == 5m", "25: error: text cannot be compared with a duration (write it in quotes)" },
	{ "open.flags == 0x10", "21: error: a number goes over into a name (numbers are decimal: write 16)" },
	{ "exec.comm == \"a\" ; exec.comm == \"b\"",
	  "24: error: nothing begins with ';' (a rule is one expression: join conditions by && or ||)" },
	{ "open.flags == 99999999999999999999",
	  "21: error: the number does not fit 64 bits (the largest number is 9223372036854775807)" },
	{ "exec.argv == \"x\" || exec.nosuch == 1",
	  "27: error: unknown name \"exec.nosuch\": no field, constant or macro (`tamisc fields` lists the fields of every event)" },
	{ "open.flags == 1 && || open.mode == 2",
	  "26: error: a condition expected, not || (an operator stands between two conditions)" },
	{ "${nosuch} == 1 && open.flags == 1",
	  "7: error: no variable ${nosuch} (some rule has to set it: \"actions: [{set: {name: ...}}]\")" },
};

static void told(const char *yaml, char *ret, size_t size)
{
	struct policy_bench b;
	const struct diag *d;
	uint32_t line = 0, col = 0, off, len;

	bench_policy(&b, yaml);
	assert_int_equal(lint_run(b.compile), 0);
	diags_sort(&b.diags);
	d = b.diags.n ? &b.diags.v[0] : NULL;
	*ret = '\0';
	if (d && d->at.src)
		span_place(d->at, &line, &col, &off, &len);
	if (d)
		snprintf(ret, size, "%u: %s: %s%s%s%s%s%s%s", col, diag_level_name(d->level), d->msg,
			 d->lint ? " [" : "", d->lint ? d->lint : "", d->lint ? "]" : "", d->help ? " (" : "",
			 d->help ? d->help : "", d->help ? ")" : "");
	bench_end(&b);
}

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char yaml[1024], is[2048];

		snprintf(yaml, sizeof(yaml),
			 "macros:\n  - id: SHELLS\n    values: [sh, bash]\nrules:\n  - id: a\n    expression: |-\n"
			 "      %s\n  - id: b\n    expression: exec.file.name in SHELLS\n",
			 mistakes[i].condition);
		told(yaml, is, sizeof(is));
		if (strcmp(is, mistakes[i].told) != 0)
			fail_msg("%s\n%s\nnot\n%s", mistakes[i].condition, is, mistakes[i].told);
	}
}

/* What a terminal shows: the line, the caret below it, the remedy. Several errors in one run, in the order of the file. */
static void test_shown(void **state)
{
	static const char yaml[] = "rules:\n"
				   "  - id: a\n"
				   "    expression: >-\n"
				   "      open.file.pth == \"/x\" &&\n"
				   "      open.flags & O_CREATE > 0\n"
				   "  - id: b\n"
				   "    expresion: open.flags == 1\n"
				   "  - {id: c, expression: 'open.file.path in [\"/a\" \"/b\"]'}\n";
	static const char shown[] = "p.yaml:4:7: error: unknown name \"open.file.pth\": no field, constant or macro\n"
				    "     4 |       open.file.pth == \"/x\" &&\n"
				    "       |       ^~~~~~~~~~~~~\n"
				    "       = help: did you mean \"open.file.path\"?\n"
				    "p.yaml:5:20: error: unknown name \"O_CREATE\": no field, constant or macro\n"
				    "     5 |       open.flags & O_CREATE > 0\n"
				    "       |                    ^~~~~~~~\n"
				    "       = help: did you mean \"O_CREAT\"?\n"
				    "p.yaml:7:5: error: unknown key \"expresion\" in a rule\n"
				    "     7 |     expresion: open.flags == 1\n"
				    "       |     ^~~~~~~~~\n"
				    "       = help: did you mean \"expression\"?\n"
				    "p.yaml:8:50: error: \",\" or \"]\" expected, not \"/b\"\n"
				    "     8 |   - {id: c, expression: 'open.file.path in [\"/a\" \"/b\"]'}\n"
				    "       |                                                  ^~~~\n"
				    "       = help: the values of a list are separated by commas\n";
	struct policy_bench b;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	bench_begin(&b);
	assert_int_equal(compile_add_text(b.compile, "p.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(b.compile), 0);
	diags_sort(&b.diags);
	for (size_t i = 0; i < b.diags.n; i++)
		diag_print(f, &b.diags.v[i], false);
	fclose(f);
	assert_string_equal(text, shown);
	free(text);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_mistakes), cmocka_unit_test(test_shown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
