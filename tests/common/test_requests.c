#include "common/csr.h"

#include "common/err.h"
#include "common/profile.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Bad and odd requests, and what must become of each: tests/data/requests, by
 * tests/data/make-requests.py, which explains the table.
 */
#define FOLDER		TEST_DATA "/requests/"
#define MAX_ROWS	1000

struct row {
	char	name[64];
	char	outcome[32];
	char	words[256];
};
static struct row rows[MAX_ROWS];
static int n_rows;

static void
read_rows(void)
{
	FILE *f = fopen(FOLDER "expected.txt", "r");
	char line[512];

	if (f == NULL)
		exit(1);
	while (fgets(line, sizeof(line), f) != NULL) {
		struct row *row = &rows[n_rows];

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (n_rows == MAX_ROWS || sscanf(line,
		    "%63[^\t]\t%31[^\t]\t%255[^\n]", row->name, row->outcome,
		    row->words) < 2)
			exit(1);
		n_rows++;
	}
	fclose(f);
}

static void
read_request(const struct row *row, struct buf *out)
{
	char path[512];
	uint8_t octets[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s.der", row->name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "%s", path);
	while ((n = fread(octets, 1, sizeof(octets), f)) > 0)
		buf_append(out, octets, n);
	fclose(f);
	ck_assert(!out->failed);
}

/* The names, what is ignored, and whether there is a challenge. */
static void
describe(const struct csr *csr, char *out, size_t size)
{
	names_describe(&csr->names, out, size);
	if (csr->ignored[0] != '\0')
		snprintf(out + strlen(out), size - strlen(out),
		    "; ignored: %s", csr->ignored);
	if (csr->has_challenge)
		snprintf(out + strlen(out), size - strlen(out),
		    "; challenge");
}

static void
check_accepted(const struct row *row, const struct csr *csr)
{
	OWNED_STRUCT(profile) *profile = NULL;
	char text[16384];
	struct err err = { 0 };

	if (strcmp(row->outcome, "accepted") == 0) {
		describe(csr, text, sizeof(text));
		ck_assert_msg(strstr(text, row->words) != NULL, "%s: %s",
		    row->name, text);
		return;
	}
	profile = test_profile(row->outcome);
	ck_assert_msg(profile != NULL, "%s: %s", row->name, row->outcome);
	ck_assert_msg(profile_check(profile, &csr->names, &csr->key, &err) ==
	    -1, "%s is allowed by %s", row->name, row->outcome);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, row->words) != NULL, "%s: %s",
	    row->name, err.text);
}

START_TEST(each_request_has_the_outcome_that_the_table_says)
{
	const struct row *row = &rows[_i];
	bool refused = strcmp(row->outcome, "refused") == 0;
	OWNED_BUF(der, 2 * CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	struct err err = { 0 };
	int r;

	/* A reason for each that is refused. */
	ck_assert_msg(strcmp(row->outcome, "accepted") == 0 ||
	    row->words[0] != '\0', "%s", row->name);
	read_request(row, &der);
	r = csr_read(buf_bytes(&der), &csr, &err);
	ck_assert_msg((r == -1) == refused, "%s: %s", row->name,
	    r == 0 ? "it was accepted" : err.text);
	if (!refused) {
		check_accepted(row, csr);
		return;
	}
	/* The requester's doing, and in words. */
	ck_assert_msg(err.kind == ERR_REJECT, "%s: %s", row->name, err.text);
	ck_assert_msg(strstr(err.text, row->words) != NULL, "%s: %s",
	    row->name, err.text);
	ck_assert_ptr_null(csr);
	ck_assert_msg(strlen(err.text) > 20, "%s", row->name);
}
END_TEST

START_TEST(more_than_a_hundred_are_refused)
{
	int refused = 0;

	for (int i = 0; i < n_rows; i++)
		refused += strcmp(rows[i].outcome, "accepted") != 0;
	ck_assert_int_ge(refused, 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("requests");
	TCase *tc = tcase_create("all");

	read_rows();
	tcase_add_loop_test(tc,
	    each_request_has_the_outcome_that_the_table_says, 0, n_rows);
	tcase_add_test(tc, more_than_a_hundred_are_refused);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
