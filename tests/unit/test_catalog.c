/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog's tables agree with each other and with the record layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/catalog.h"
#include "tamis/sieve.h"

static const struct cat_field *field(const char *name)
{
	const struct cat_field *f = catalog_field(catalog_tamis(), name, strlen(name));

	if (!f)
		fail_msg("no field %s", name);
	return f;
}

static void names_are_sorted_and_unique(void **state)
{
	const struct catalog *c = catalog_tamis();

	for (size_t i = 1; i < c->nfields; i++)
		assert_true(strcmp(c->fields[i - 1].name, c->fields[i].name) < 0);
	for (size_t i = 0; i < c->nfields; i++)
		assert_ptr_equal(field(c->fields[i].name), &c->fields[i]);
}

static void constants_are_unique_and_no_field(void **state)
{
	const struct catalog *c = catalog_tamis();

	for (size_t i = 0; i < c->nconstants; i++) {
		assert_ptr_equal(catalog_constant(c, c->constants[i].name, strlen(c->constants[i].name)),
				 &c->constants[i]);
		assert_null(catalog_field(c, c->constants[i].name, strlen(c->constants[i].name)));
	}
}

static void aliases_lead_to_fields(void **state)
{
	const struct catalog *c = catalog_tamis();

	for (size_t i = 0; i < c->naliases; i++)
		assert_string_equal(field(c->aliases[i].name)->name, c->aliases[i].field);
}

static void records_hold_every_row(void **state)
{
	const struct catalog *c = catalog_tamis();

	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (f->home != CAT_HOME_EVENT || c->events[f->event].is_family)
			continue;
		assert_true(f->slot < CAT_SLOTS_MAX);
		if (f->kind == 'N')
			assert_true(f->index < c->events[f->event].nnum);
		if (f->kind == 'S')
			assert_true(f->index < c->events[f->event].nstr);
	}
	for (size_t i = 0; i < c->nevents; i++) {
		unsigned int proc = c->events[i].has_proc;

		assert_true(c->events[i].nnum + proc * EVN_PROC_COUNT + c->events[i].has_target * EV_TARGET_COUNT <=
			    EV_NUM_MAX);
		assert_true(c->events[i].nstr + proc * EVS_PROC_COUNT <= EV_STR_MAX);
	}
}

static int sieve_of(const char *name, uint16_t event, uint16_t *index)
{
	*index = 999;
	return catalog_sieve(catalog_tamis(), field(name), event, index);
}

static void the_kernel_decides_what_it_can_read(void **state)
{
	uint16_t i;

	assert_int_equal(sieve_of("open.file.path", EV_OPEN, &i), CAT_SIEVE_PATH);
	assert_int_equal(i, SV_AUT_PATH0);
	assert_int_equal(sieve_of("open.file.name", EV_OPEN, &i), CAT_SIEVE_NAME);
	assert_int_equal(i, SV_AUT_PATH0);
	assert_int_equal(sieve_of("rename.file.destination.path", EV_RENAME, &i), CAT_SIEVE_PATH);
	assert_int_equal(i, SV_AUT_PATH1);
	assert_int_equal(sieve_of("rename.file.destination.name", EV_RENAME, &i), CAT_SIEVE_NAME);
	assert_int_equal(i, SV_AUT_PATH1);
	assert_int_equal(sieve_of("open.flags", EV_OPEN, &i), CAT_SIEVE_NUM);
	assert_int_equal(i, EVN_OPEN_FLAGS);
	assert_int_equal(sieve_of("rename.file.destination.in_upper_layer", EV_RENAME, &i), CAT_SIEVE_NUM);
	assert_int_equal(i, EVN_RENAME_DEST_IN_UPPER);
	assert_int_equal(sieve_of("exec.file.in_upper_layer", EV_EXEC, &i), CAT_SIEVE_NUM);
	assert_int_equal(i, EVN_EXEC_COUNT + EVN_PROC_FILE_IN_UPPER);
	assert_int_equal(sieve_of("process.file.in_upper_layer", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("connect.addr.ip", EV_CONNECT, &i), CAT_SIEVE_ADDR);
	assert_int_equal(i, SV_AUT_ADDR);
	assert_int_equal(sieve_of("process.uid", EV_OPEN, &i), CAT_SIEVE_UID);
	assert_int_equal(i, SV_SLOT_UID);
	assert_int_equal(sieve_of("open.retval", EV_OPEN, &i), CAT_SIEVE_RETVAL);
	assert_int_equal(i, SV_SLOT_RETVAL);
	/* A process's file is the kernel's to read only while it is executed. */
	assert_int_equal(sieve_of("exec.file.path", EV_EXEC, &i), CAT_SIEVE_PATH);
	assert_int_equal(sieve_of("process.file.name", EV_EXEC, &i), CAT_SIEVE_NAME);
	assert_int_equal(sieve_of("process.file.path", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("process.parent.uid", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("process.ancestors.uid", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("process.auid", EV_OPEN, &i), CAT_SIEVE_AUID);
	assert_int_equal(i, SV_SLOT_AUID);
	assert_int_equal(sieve_of("exec.cap_effective", EV_EXEC, &i), CAT_SIEVE_CAP_EFFECTIVE);
	assert_int_equal(i, SV_SLOT_CAP_EFFECTIVE);
	assert_int_equal(sieve_of("ptrace.tracee.auid", EV_PTRACE, &i), CAT_SIEVE_NONE);
	/* The head of a fork is the parent's, the process the child. */
	assert_int_equal(sieve_of("process.uid", EV_FORK, &i), CAT_SIEVE_NUM);
	assert_int_equal(i, EVN_FORK_COUNT + EVN_PROC_UID);
	/* A field of another event decides nothing. */
	assert_int_equal(sieve_of("unlink.file.path", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("chmod.file.destination.rights", EV_CHMOD, &i), CAT_SIEVE_RIGHTS);
	assert_int_equal(i, EVN_CHMOD_MODE);
	assert_int_equal(sieve_of("exec.file.rights", EV_EXEC, &i), CAT_SIEVE_RIGHTS);
	assert_int_equal(i, EVN_EXEC_COUNT + EVN_PROC_FILE_MODE);
	assert_int_equal(sieve_of("process.file.rights", EV_OPEN, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("dns.question.name", EV_DNS, &i), CAT_SIEVE_QUESTION);
	assert_int_equal(i, SV_AUT_QUESTION);
}

/* Strings of the record have two automata, which are others of an exec: a row that has one is where the kernel side looks. */
static void texts_are_where_the_kernel_looks(void **state)
{
	static const ev_u8 text_rows[EV_TYPES] = { SV_TEXT_ROWS };
	const struct catalog *c = catalog_tamis();
	unsigned texts[EV_TYPES] = { 0 }, n = 0;
	uint16_t i;

	assert_int_equal(sieve_of("exec.file.filesystem", EV_EXEC, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("rename.file.destination.filesystem", EV_RENAME, &i), CAT_SIEVE_NONE);
	assert_int_equal(sieve_of("rename.file.filesystem", EV_RENAME, &i), CAT_SIEVE_FSTYPE);
	assert_int_equal(i, SV_AUT_FSTYPE);
	assert_int_equal(sieve_of("symlink.target", EV_SYMLINK, &i), CAT_SIEVE_TEXT);
	assert_int_equal(i, SV_AUT_TEXT);
	for (size_t k = 0; k < c->nfields; k++) {
		const struct cat_field *f = &c->fields[k];
		int sieve = f->event < EV_TYPES ? catalog_sieve(c, f, f->event, &i) : CAT_SIEVE_NONE;

		if (sieve != CAT_SIEVE_TEXT && sieve != CAT_SIEVE_FSTYPE)
			continue;
		n++;
		assert_int_equal(f->kind, 'S');
		assert_int_equal(f->type, VAL_STR);
		assert_int_equal(f->index, sieve == CAT_SIEVE_TEXT ? text_rows[f->event] : SV_FSTYPE_ROW);
		if (sieve == CAT_SIEVE_TEXT)
			assert_int_equal(++texts[f->event], 1);
	}
	assert_in_range(n, 30, 64);
}

static void nearest_name_is_near(void **state)
{
	const struct catalog *c = catalog_tamis();

	assert_string_equal(catalog_nearest(c, "open.file.pth", 13), "open.file.path");
	assert_string_equal(catalog_nearest(c, "O_CRATE", 7), "O_CREAT");
	assert_null(catalog_nearest(c, "zzzzzzzz", 8));
}

static void fingerprint_is_stable_within_a_build(void **state)
{
	assert_int_equal(catalog_fingerprint(catalog_tamis()), catalog_fingerprint(catalog_tamis()));
	assert_int_not_equal(catalog_fingerprint(catalog_tamis()), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_and_unique),
		cmocka_unit_test(constants_are_unique_and_no_field),
		cmocka_unit_test(aliases_lead_to_fields),
		cmocka_unit_test(records_hold_every_row),
		cmocka_unit_test(the_kernel_decides_what_it_can_read),
		cmocka_unit_test(texts_are_where_the_kernel_looks),
		cmocka_unit_test(nearest_name_is_near),
		cmocka_unit_test(fingerprint_is_stable_within_a_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
