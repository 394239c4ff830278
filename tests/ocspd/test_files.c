#include "ocspd/files.h"
#include "tests/support/fixtures.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static int dir_fd;

static void
put(const char *name)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "octets", 6), 6);
	close(fd);
}

static void
set_up(void)
{
	strcpy(dir, "/tmp/test_ocspd_files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	put("a@b.crl");
	put("a@b.crt");
	put("a~2.crl");
	put("a@b.crl.pem");
	put("a@b.12.delta.crl");
	put("a@b.pem");
	put("secret.key");
	ck_assert_int_eq(symlinkat("secret.key", dir_fd, "link.crl"), 0);
	ck_assert_int_eq(mkdirat(dir_fd, "dir.crl", 0755), 0);
	ck_assert_int_eq(mkfifoat(dir_fd, "pipe.crl", 0644), 0);
}

static void
tear_down(void)
{
	char command[128];

	close(dir_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	const char	*path;
	const char	*media_type;	/* NULL: not found */
} paths[] = {
	{ "/crl/a@b.crl",	"application/pkix-crl" },
	{ "/crl/a%40b.crl",	"application/pkix-crl" },
	{ "/crl/a~2.crl",	"application/pkix-crl" },
	{ "/crl/a%7E2.crl",	"application/pkix-crl" },
	{ "/crl/a%7e2.crl",	"application/pkix-crl" },
	{ "/crl/a%7f2.crl",	NULL },
	{ "/crl/a@b.12.delta.crl", "application/pkix-crl" },
	{ "/crl/a@b.crl.pem",	"application/x-pem-file" },
	{ "/crl/a@b.pem",	NULL },		/* of no CRL */
	{ "/ca/a@b.crt",	"application/pkix-cert" },
	{ "/ca/a@b.p7c",	NULL },		/* is not there */
	{ "/crl/a@b.crt",	NULL },		/* of another kind */
	{ "/ca/a@b.crl",	NULL },
	{ "/crl/a/b.crl",	NULL },
	{ "/crl/link.crl",	NULL },
	{ "/crl/dir.crl",	NULL },
	{ "/crl/pipe.crl",	NULL },
	{ "/crl/.crl",		NULL },
	{ "/crl/secret.key",	NULL },
	{ "/crl/../secret.key",	NULL },
	{ "/crl/..%2fx.crl",	NULL },
	{ "/crl/%00a@b.crl",	NULL },
	{ "/crl/",		NULL },
	{ "/a@b.crl",		NULL },
	{ "/crl/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.crl", NULL },
};

START_TEST(only_published_names_are_opened)
{
	struct published p = { .fd = -1 };
	int r = files_open(dir_fd, (struct bytes){
	    (const uint8_t *)paths[_i].path, strlen(paths[_i].path) }, &p);

	ck_assert_msg((r == 0) == (paths[_i].media_type != NULL), "%s",
	    paths[_i].path);
	if (r != 0)
		return;
	ck_assert_str_eq(p.media_type, paths[_i].media_type);
	ck_assert_uint_eq(p.octets, 6);
	close(p.fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("files");
	TCase *c = tcase_create("files");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, only_published_names_are_opened, 0,
	    ROWS(paths));
	suite_add_tcase(s, c);
	return fixture_run(s);
}
