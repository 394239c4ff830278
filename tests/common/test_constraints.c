#include "common/constraints.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

/* RFC 5280, 4.2.1.10: one row per promise about a tree as text. */
static const struct {
	const char	*tree;
	const char	*shown;		/* NULL: refused */
} trees[] = {
	{ "dns:example.com",		"permits dns:example.com" },
	{ "DNS:example.com",		"permits dns:example.com" },
	{ "dns:.example.com",		NULL },
	{ "dns:",			NULL },
	{ "dns:a b",			NULL },
	{ "dns:*.example.com",		NULL },
	{ "dns:10.0.0.1",		NULL },
	{ "email:user@example.com",	"permits email:user@example.com" },
	{ "email:example.com",		"permits email:example.com" },
	{ "email:.example.com",		"permits email:.example.com" },
	{ "email:@example.com",		NULL },
	{ "email:user@",		NULL },
	{ "email:.",			NULL },
	{ "uri:www.example.com",	"permits uri:www.example.com" },
	{ "uri:.example.com",		"permits uri:.example.com" },
	{ "uri:http://example.com/",	NULL },
	{ "ip:10.0.0.0/8",		"permits ip:10.0.0.0/8" },
	{ "ip:10.1.2.3/32",		"permits ip:10.1.2.3/32" },
	{ "ip:0.0.0.0/0",		"permits ip:0.0.0.0/0" },
	{ "ip:10.0.0.0/33",		NULL },
	{ "ip:10.0.0.1/8",		NULL },
	{ "ip:10.0.0.0",		NULL },
	{ "ip:10.0.0.0/",		NULL },
	{ "ip:10.0.0.0/-1",		NULL },
	{ "ip:2001:db8::/32",		"permits ip:2001:db8::/32" },
	{ "ip:2001:db8::/128",		"permits ip:2001:db8::/128" },
	{ "ip:2001:db8::/129",		NULL },
	{ "dirname:C=DE, O=Example",	"permits dirname:C=DE, O=Example" },
	{ "dirname:",			NULL },
	{ "dirname:nothing",		NULL },
	{ "example.com",		NULL },
	{ "other:example.com",		NULL },
	{ "dns:a.test,dns:b.test",	"permits dns:a.test, dns:b.test" },
	{ "dirname:C=DE, O=Ex,dns:b.test", "permits dirname:C=DE, O=Ex, "
	    "dns:b.test" },
};

static void
describe(const NAME_CONSTRAINTS *nc, char *out, size_t size)
{
	OWNED(X509) *cert = X509_new();
	struct err err = { 0 };

	ck_assert_int_eq(constraints_add_extension(cert, nc, &err), 0);
	constraints_describe(cert, out, size);
}

START_TEST(a_tree_is_read_as_it_is_shown)
{
	OWNED(NAME_CONSTRAINTS) *nc = NULL;
	char text[256];
	struct err err = { 0 };
	int r = constraints_add(&nc, true, trees[_i].tree, &err);

	ck_assert_msg((r == 0) == (trees[_i].shown != NULL), "%s: %s",
	    trees[_i].tree, err.text);
	if (r == -1) {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		return;
	}
	describe(nc, text, sizeof(text));
	ck_assert_str_eq(text, trees[_i].shown);
}
END_TEST

START_TEST(both_lists_are_shown)
{
	OWNED(NAME_CONSTRAINTS) *nc = NULL;
	char text[256];
	struct err err = { 0 };

	ck_assert_int_eq(constraints_add(&nc, false, "ip:0.0.0.0/0", &err),
	    0);
	ck_assert_int_eq(constraints_add(&nc, true, "dns:a.test", &err), 0);
	describe(nc, text, sizeof(text));
	ck_assert_str_eq(text, "permits dns:a.test; excludes ip:0.0.0.0/0");
}
END_TEST

/* Does the tree in the middle lie within what the parent says? */
static const struct {
	const char	*permit, *exclude;	/* the parent's */
	const char	*child;
	bool		 within;
} pairs[] = {
	{ NULL, NULL,			"dns:a.test",		true },
	{ "dns:a.test", NULL,		"dns:a.test",		true },
	{ "dns:a.test", NULL,		"dns:A.TEST",		true },
	{ "dns:a.test", NULL,		"dns:b.a.test",		true },
	{ "dns:a.test", NULL,		"dns:ba.test",		false },
	{ "dns:b.a.test", NULL,		"dns:a.test",		false },
	{ "dns:x.test,dns:a.test", NULL, "dns:b.a.test",	true },
	{ "ip:10.0.0.0/8", NULL,	"dns:a.test",		true },
	{ NULL, "dns:a.test",		"dns:b.a.test",		false },
	{ NULL, "dns:b.a.test",		"dns:a.test",		true },
	{ "dns:a.test", "dns:b.a.test",	"dns:b.a.test",		false },
	{ "email:a.test", NULL,		"email:a.test",		true },
	{ "email:a.test", NULL,		"email:u@a.test",	true },
	{ "email:a.test", NULL,		"email:u@b.a.test",	false },
	{ "email:a.test", NULL,		"email:.a.test",	false },
	{ "email:.a.test", NULL,	"email:b.a.test",	true },
	{ "email:.a.test", NULL,	"email:.b.a.test",	true },
	{ "email:.a.test", NULL,	"email:a.test",		false },
	{ "email:.a.test", NULL,	"email:u@b.a.test",	true },
	{ "email:u@a.test", NULL,	"email:u@a.test",	true },
	{ "email:u@a.test", NULL,	"email:u@A.test",	true },
	{ "email:u@a.test", NULL,	"email:U@a.test",	false },
	{ "email:u@a.test", NULL,	"email:a.test",		false },
	{ "uri:a.test", NULL,		"uri:a.test",		true },
	{ "uri:a.test", NULL,		"uri:b.a.test",		false },
	{ "uri:.a.test", NULL,		"uri:b.a.test",		true },
	{ "uri:.a.test", NULL,		"uri:a.test",		false },
	{ "ip:10.0.0.0/8", NULL,	"ip:10.1.0.0/16",	true },
	{ "ip:10.0.0.0/8", NULL,	"ip:10.0.0.0/8",	true },
	{ "ip:10.0.0.0/8", NULL,	"ip:10.0.0.0/7",	false },
	{ "ip:10.0.0.0/8", NULL,	"ip:11.0.0.0/8",	false },
	{ "ip:10.0.0.0/8", NULL,	"ip:2001:db8::/32",	false },
	{ "ip:2001:db8::/32", NULL,	"ip:2001:db8:1::/48",	true },
	{ "dirname:C=DE", NULL,		"dirname:C=DE, O=Ex",	true },
	{ "dirname:C=DE, O=Ex", NULL,	"dirname:C=DE",		false },
	{ "dirname:C=DE", NULL,		"dirname:C=AT, O=Ex",	false },
};

START_TEST(a_childs_trees_lie_within_its_parents)
{
	OWNED(X509) *parent = X509_new();
	OWNED(NAME_CONSTRAINTS) *above = NULL;
	OWNED(NAME_CONSTRAINTS) *child = NULL;
	struct err err = { 0 };
	int r;

	if (pairs[_i].permit != NULL)
		ck_assert_int_eq(constraints_add(&above, true,
		    pairs[_i].permit, &err), 0);
	if (pairs[_i].exclude != NULL)
		ck_assert_int_eq(constraints_add(&above, false,
		    pairs[_i].exclude, &err), 0);
	ck_assert_int_eq(constraints_add_extension(parent, above, &err), 0);
	ck_assert_int_eq(constraints_add(&child, true, pairs[_i].child, &err),
	    0);
	r = constraints_check_child(parent, child, &err);
	ck_assert_msg((r == 0) == pairs[_i].within, "%s in %s: %s",
	    pairs[_i].child, pairs[_i].permit, err.text);
	if (r == -1)
		ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(there_is_a_limit)
{
	OWNED(NAME_CONSTRAINTS) *nc = NULL;
	struct err err = { 0 };
	char tree[32];

	for (int i = 0; i < 100; i++) {
		snprintf(tree, sizeof(tree), "dns:n%d.test", i);
		ck_assert_int_eq(constraints_add(&nc, true, tree, &err), 0);
	}
	ck_assert_int_eq(constraints_add(&nc, true, "dns:more.test", &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("constraints");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_tree_is_read_as_it_is_shown, 0, ROWS(trees));
	tcase_add_test(tc, both_lists_are_shown);
	tcase_add_loop_test(tc, a_childs_trees_lie_within_its_parents, 0,
	    ROWS(pairs));
	tcase_add_test(tc, there_is_a_limit);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
