#include "csrmaild/signer_unlock.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "csrmaild/journal.h"
#include "csrmaild/signer.h"
#include "csrmaild/unlock.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY	65534

static char folder[] = "/tmp/test_unlock.XXXXXX";
static int dir = -1;
static struct signer signer;
static struct unlock_desk *desk;
static int64_t now_ms;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

/* One CA of which the signer has read the files, and nobody the key. */
static void
add_ca(struct signer_ca *ca, const char *name, const char *passphrase)
{
	OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	char file[32];
	struct err err;

	snprintf(ca->name, sizeof(ca->name), "%s", name);
	ca->cert = X509_new();
	ck_assert_int_eq(X509_set_pubkey(ca->cert, key), 1);
	snprintf(file, sizeof(file), "%s.journal", name);
	ck_assert_int_eq(journal_open(dir, file, name, true, &ca->journal,
	    &err), 0);
	snprintf(file, sizeof(file), "%s.key", name);
	ck_assert_int_eq(keystore_save(dir, file, key, bytes_of(passphrase),
	    &err), 0);
	ca->sealed = BUF(KEYSTORE_FILE_MAX);
	ck_assert_int_eq(keystore_read(dir, file, &ca->sealed, &err), 0);
}

static void
open_desk(uid_t own_uid)
{
	const struct right_groups groups = { .own_uid = own_uid };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct err err;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/unlock.sock",
	    folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
	    sizeof(address)), 0);
	ck_assert_int_eq(chmod(address.sun_path, 0666), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(unlock_desk_new(&signer, fd, &groups, &desk, &err),
	    0);
}

static void
set_up(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	signer = (struct signer){ .keys_fd = -1, .journal_fd = -1,
		.published_fd = -1, .n_cas = 3,
		.cas = calloc(3, sizeof(struct signer_ca)) };
	add_ca(&signer.cas[0], "users", "right");
	add_ca(&signer.cas[1], "users~2", "right");
	add_ca(&signer.cas[2], "hosts", "other");
	now_ms = 1000000;
	open_desk(geteuid());
}

static void
tear_down(void)
{
	struct dirent *e;
	DIR *d;

	unlock_desk_free(desk);
	signer_free_contents(&signer);
	d = opendir(folder);
	while ((e = readdir(d)) != NULL)
		unlinkat(dir, e->d_name, 0);
	closedir(d);
	close(dir);
	rmdir(folder);
}

/* --- a person ------------------------------------------------------------------ */
static int
come(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
	    sizeof(address)), 0);
	return fd;
}

static void
say(int fd, enum unlock_verb verb, const char *ca, const char *passphrase)
{
	struct unlock_request request = { .verb = verb,
		.passphrase = bytes_of(passphrase) };
	OWNED_BUF(out, UNLOCK_MAX_REQUEST);
	struct err err;

	snprintf(request.ca, sizeof(request.ca), "%s", ca);
	ck_assert_int_eq(unlock_put_request(&request, &out, &err), 0);
	ck_assert_int_eq(write(fd, out.data, out.len), (ssize_t)out.len);
}

/* As often as there is anything to do at this moment. */
static void
turn(void)
{
	struct pollfd fds[UNLOCK_MAX_POLL];

	for (int i = 0; i < 20; i++) {
		unlock_desk_prepare(desk, fds, now_ms);
		poll(fds, UNLOCK_MAX_POLL, 0);
		unlock_desk_serve(desk, fds, now_ms);
	}
}

enum hears { NOTHING_YET, AN_ANSWER, THE_END };

static enum hears
hear(int fd, struct unlock_answer *out)
{
	uint8_t in[UNLOCK_MAX_ANSWER + 1];
	ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
	struct err err;

	if (n < 0 && errno == EAGAIN)
		return NOTHING_YET;
	if (n <= 0)
		return THE_END;
	ck_assert_int_eq(unlock_get_answer((struct bytes){ in, (size_t)n },
	    out, &err), 0);
	return AN_ANSWER;
}

static struct unlock_answer
ask(enum unlock_verb verb, const char *ca, const char *passphrase)
{
	struct unlock_answer a = { 0 };
	OWNED_FD fd = come();

	now_ms += UNLOCK_PAUSE_MS;
	say(fd, verb, ca, passphrase);
	turn();
	ck_assert_int_eq(hear(fd, &a), AN_ANSWER);
	ck_assert_int_eq(hear(fd, &a), THE_END);
	return a;
}

static bool
is_open(size_t i)
{
	return signer.cas[i].key != NULL;
}

/* --- promises --------------------------------------------------------------------- */
START_TEST(a_passphrase_opens_all_generations_of_its_ca)
{
	struct unlock_answer a = ask(UNLOCK_OPEN, "users", "right");

	ck_assert_msg(a.done, "%s", a.text);
	ck_assert(is_open(0) && is_open(1) && !is_open(2));
	ck_assert(signer.cas[0].news && signer.cas[1].news);
	/* For the audit: who the kernel says it was. */
	ck_assert_int_eq(strncmp(signer.cas[0].who, "unix:", 5), 0);
	a = ask(UNLOCK_OPEN, "users", "whatever");
	ck_assert(a.done);	/* it was open already */
}
END_TEST

START_TEST(a_generation_is_opened_by_its_name)
{
	ck_assert(ask(UNLOCK_OPEN, "users~2", "right").done);
	ck_assert(!is_open(0) && is_open(1));
}
END_TEST

static const struct {
	const char	*ca, *passphrase, *says;
} wrongs[] = {
	{ "users", "wrong", "passphrase does not open" },
	{ "users", "", "no passphrase" },
	{ "nobody", "right", "no CA nobody" },
	{ "user", "right", "no CA user" },
	{ "", "right", "no CA" },
};

START_TEST(what_is_wrong_is_said_and_opens_nothing)
{
	struct unlock_answer a = ask(UNLOCK_OPEN, wrongs[_i].ca,
	    wrongs[_i].passphrase);

	ck_assert(!a.done);
	ck_assert_msg(strstr(a.text, wrongs[_i].says) != NULL, "%s", a.text);
	ck_assert(!is_open(0) && !is_open(1) && !is_open(2));
	ck_assert_str_eq(signer.cas[0].who, "");
}
END_TEST

START_TEST(a_locked_key_is_gone_and_comes_back_without_its_file)
{
	struct unlock_answer a;

	ck_assert(ask(UNLOCK_OPEN, "hosts", "other").done);
	ck_assert_int_eq(unlinkat(dir, "hosts.key", 0), 0);
	a = ask(UNLOCK_CLOSE, "hosts", "");
	ck_assert_msg(a.done, "%s", a.text);
	ck_assert(!is_open(2));
	ck_assert_ptr_null(signer.cas[2].issuer.key);
	ck_assert_ptr_nonnull(strstr(signer.cas[2].why_not, "ca unlock"));
	ck_assert(ask(UNLOCK_OPEN, "hosts", "other").done);
	ck_assert(is_open(2));
}
END_TEST

START_TEST(a_key_without_encryption_has_no_lock)
{
	struct unlock_answer a;

	ck_assert(ask(UNLOCK_OPEN, "hosts", "other").done);
	buf_wipe(&signer.cas[2].sealed);	/* as after opening a plain one */
	a = ask(UNLOCK_CLOSE, "hosts", "");
	ck_assert(!a.done);
	ck_assert_ptr_nonnull(strstr(a.text, "not encrypted"));
	ck_assert(is_open(2));
}
END_TEST

START_TEST(one_passphrase_a_second_is_tried)
{
	OWNED_FD first = come();
	OWNED_FD second = come();
	struct unlock_answer a;

	say(first, UNLOCK_OPEN, "users", "wrong");
	turn();
	ck_assert_int_eq(hear(first, &a), AN_ANSWER);
	say(second, UNLOCK_OPEN, "users", "right");
	now_ms += UNLOCK_PAUSE_MS - 1;
	turn();
	ck_assert_int_eq(hear(second, &a), NOTHING_YET);
	ck_assert(!is_open(0));
	now_ms++;
	turn();
	ck_assert_int_eq(hear(second, &a), AN_ANSWER);
	ck_assert(is_open(0));
}
END_TEST

START_TEST(who_may_not_is_told_before_it_speaks)
{
	struct unlock_answer a;
	bool root = geteuid() == 0;
	int fd;

	/* Root may always: somebody else comes. An ordinary user may, unless
	 * the daemon is not his own. */
	unlock_desk_free(desk);
	unlinkat(dir, "unlock.sock", 0);
	open_desk((uid_t)-1);
	if (root)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	fd = come();
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	turn();
	ck_assert_int_eq(hear(fd, &a), AN_ANSWER);
	ck_assert(!a.done);
	ck_assert_ptr_nonnull(strstr(a.text, "csrmail-security"));
	ck_assert_int_eq(hear(fd, &a), THE_END);
	close(fd);
}
END_TEST

START_TEST(who_stays_silent_holds_a_place_for_ten_seconds)
{
	int silent[UNLOCK_MAX_VISITORS];
	OWNED_FD honest = -1;
	struct pollfd fds[UNLOCK_MAX_POLL];
	struct unlock_answer a;

	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		silent[i] = come();
		ck_assert_int_eq(write(silent[i], "\0\0\0", 3), 3);
	}
	turn();
	honest = come();
	say(honest, UNLOCK_OPEN, "users", "right");
	now_ms += UNLOCK_DEADLINE_MS - 1;
	turn();
	ck_assert_int_eq(hear(honest, &a), NOTHING_YET);
	/* The loop is woken in time. */
	ck_assert_int_eq(unlock_desk_prepare(desk, fds, now_ms), 1);
	now_ms++;
	turn();
	ck_assert_int_eq(hear(honest, &a), AN_ANSWER);
	ck_assert(a.done);
	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		ck_assert_int_eq(hear(silent[i], &a), THE_END);
		close(silent[i]);
	}
}
END_TEST

/* A header, and n octets behind it. */
static const struct {
	const char	*name;
	uint8_t		 header[8];
	size_t		 n;
	enum hears	 hears;
} frames[] = {
	{ "nothing behind", { 0, 0, 0, 0, 0, 1, 1, 0 }, 0, AN_ANSWER },
	{ "4 GiB are promised", { 255, 255, 255, 255, 0, 1, 1, 0 }, 0,
	    AN_ANSWER },
	/* 4 + 63 + 4 + 1024 = 1095 octets are the most. */
	{ "one octet too many", { 0, 0, 4, 72, 0, 1, 1, 0 }, 0, AN_ANSWER },
	{ "the most", { 0, 0, 4, 71, 0, 1, 1, 0 }, 0, NOTHING_YET },
	{ "no such verb", { 0, 0, 0, 8, 0, 0, 1, 0 }, 0, AN_ANSWER },
	{ "an answer", { 0, 0, 0, 8, 0, 3, 1, 0 }, 0, AN_ANSWER },
	{ "another version", { 0, 0, 0, 8, 0, 1, 2, 0 }, 0, AN_ANSWER },
	{ "a descriptor", { 0, 0, 0, 8, 0, 1, 1, 1 }, 0, AN_ANSWER },
	{ "more than it says", { 0, 0, 0, 8, 0, 1, 1, 0 }, 9, AN_ANSWER },
	{ "less than it says", { 0, 0, 0, 8, 0, 1, 1, 0 }, 7, NOTHING_YET },
	{ "lengths beyond the end", { 0, 0, 0, 8, 0, 1, 1, 0 }, 8,
	    AN_ANSWER },
};

START_TEST(a_broken_frame_ends_the_visit)
{
	struct unlock_answer a = { .done = true };
	OWNED_FD fd = come();
	uint8_t body[16];

	memset(body, 0xff, sizeof(body));
	ck_assert_int_eq(write(fd, frames[_i].header, 8), 8);
	ck_assert_int_eq(write(fd, body, frames[_i].n),
	    (ssize_t)frames[_i].n);
	turn();
	ck_assert_msg(hear(fd, &a) == frames[_i].hears, "%s",
	    frames[_i].name);
	if (frames[_i].hears == AN_ANSWER)
		ck_assert(!a.done);
	/* And nobody else suffers. */
	ck_assert(ask(UNLOCK_OPEN, "users", "right").done);
}
END_TEST

START_TEST(octets_may_come_one_by_one)
{
	struct unlock_request request = { .verb = UNLOCK_OPEN,
		.ca = "users", .passphrase = bytes_of("right") };
	OWNED_BUF(out, UNLOCK_MAX_REQUEST);
	struct unlock_answer a;
	OWNED_FD fd = come();
	struct err err;

	ck_assert_int_eq(unlock_put_request(&request, &out, &err), 0);
	for (size_t i = 0; i < out.len; i++) {
		ck_assert_int_eq(hear(fd, &a), NOTHING_YET);
		ck_assert_int_eq(write(fd, out.data + i, 1), 1);
		turn();
	}
	ck_assert_int_eq(hear(fd, &a), AN_ANSWER);
	ck_assert(a.done);
}
END_TEST

START_TEST(who_leaves_early_is_forgotten)
{
	struct pollfd fds[UNLOCK_MAX_POLL];
	int fd = come();

	say(fd, UNLOCK_OPEN, "users", "right");
	close(fd);
	fd = come();
	turn();
	close(fd);
	turn();
	now_ms += UNLOCK_PAUSE_MS;
	turn();
	ck_assert_int_eq(unlock_desk_prepare(desk, fds, now_ms), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("unlock");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_passphrase_opens_all_generations_of_its_ca);
	tcase_add_test(tc, a_generation_is_opened_by_its_name);
	tcase_add_loop_test(tc, what_is_wrong_is_said_and_opens_nothing, 0,
	    ROWS(wrongs));
	tcase_add_test(tc,
	    a_locked_key_is_gone_and_comes_back_without_its_file);
	tcase_add_test(tc, a_key_without_encryption_has_no_lock);
	tcase_add_test(tc, one_passphrase_a_second_is_tried);
	tcase_add_test(tc, who_may_not_is_told_before_it_speaks);
	tcase_add_test(tc, who_stays_silent_holds_a_place_for_ten_seconds);
	tcase_add_loop_test(tc, a_broken_frame_ends_the_visit, 0,
	    ROWS(frames));
	tcase_add_test(tc, octets_may_come_one_by_one);
	tcase_add_test(tc, who_leaves_early_is_forgotten);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
