#include "tests/support/mail_stand.h"

#include "common/err.h"
#include "common/profile.h"
#include "csrmaild/acts.h"
#include "csrmaild/key_check.h"
#include "csrmaild/policy.h"
#include "csrmaild/submission.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct registrar mail_stand;
static char users[] = "users", user[] = "user", staff[] = "staff",
    address[] = "ca@example.test", none[] = "";
struct mailbox_settings mail_stand_mailbox = { .title = users,
	.address = address, .ca = users, .profile = user, .rules = staff,
	.envelope_sender = none, .challenge_expires_s = 3600 };

static char dir[64];
static int signer_fd;		/* its end of the channel; unread */
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

void
mail_stand_open(const char *rule_text)
{
	static struct ca_settings ca = { .name = users };
	static struct profile *profiles[1];
	static struct rules *rules[1];
	static struct settings settings = {
		.mailboxes = &mail_stand_mailbox, .n_mailboxes = 1,
		.cas = &ca, .n_cas = 1, .profiles = profiles, .n_profiles = 1,
		.rules = rules, .n_rules = 1, .replies_per_hour = 10,
		.challenges_per_hour = 5 };
	char path[PATH_MAX];
	int pair[2];

	strcpy(dir, "/tmp/mail_stand.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	profiles[0] = test_profile("user");
	OK(rules_parse("staff", "staff.conf", bytes_of(rule_text), &rules[0],
	    &err));
	mail_stand = (struct registrar){ .now = NOON, .settings = &settings };
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	mail_stand.signer = channel_new(pair[0], "signer", 1 << 20, 1 << 20);
	signer_fd = pair[1];
	OK(store_open(path, STORE_READ_WRITE, &mail_stand.store, &err));
}

void
mail_stand_close(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[PATH_MAX];

	key_check_close(&mail_stand);
	registrar_free_revoked(&mail_stand);
	store_free(mail_stand.store);
	channel_free(mail_stand.signer);
	close(signer_fd);
	profile_free(mail_stand.settings->profiles[0]);
	rules_free(mail_stand.settings->rules[0]);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s/store.db%s", dir, ends[i]);
		unlink(file);
	}
	rmdir(dir);
}

struct csr *
mail_stand_csr(EVP_PKEY *with, const char *who)
{
	char value[300];
	const struct test_extension names[] = {
		{ "subjectAltName", value }, { 0 } };

	snprintf(value, sizeof(value), "email:%s", who);
	return test_csr(with, who, names);
}

void
mail_stand_fill(struct wire_submit *m, const struct csr *csr, const char *who)
{
	static uint32_t uid;
	struct candidate *c;

	*m = (struct wire_submit){ .id = 1, .mailbox = "users",
		.uid_validity = 1, .uid = ++uid, .channel = CHANNEL_MAIL };
	snprintf(m->envelope.from, sizeof(m->envelope.from), "%s", who);
	snprintf(m->envelope.message_id, sizeof(m->envelope.message_id),
	    "%u@example.test", uid);
	m->findings = calloc(1, sizeof(*m->findings));
	m->findings->status = FINDINGS_OK;
	if (csr == NULL)
		return;
	m->findings->n_candidates = 1;
	c = &m->findings->candidates[0];
	*c = (struct candidate){ .good = true, .der = csr->der,
		.key = csr->key };
	if (csr->key.kind == KEY_RSA)
		c->modulus = key_rsa_modulus(csr->spki);
	memcpy(c->digest, csr->digest, 32);
	OK(names_copy(&csr->names, &c->names, &err));
}

enum outcome
mail_stand_take(struct wire_submit *m)
{
	enum outcome outcome;

	OK(store_begin(mail_stand.store, &err));
	OK(submission_take(&mail_stand, m, &outcome, &err));
	OK(store_commit(mail_stand.store, &err));
	registrar_tell_revoked(&mail_stand);
	wire_submit_free_contents(m);
	return outcome;
}

static int
note_request(const struct request_row *row, void *arg)
{
	struct stand_request *seen = arg;

	*seen = (struct stand_request){ .id = row->id, .state = row->state };
	snprintf(seen->rule, sizeof(seen->rule), "%s", row->rule);
	snprintf(seen->reason, sizeof(seen->reason), "%s", row->reason);
	snprintf(seen->evidence, sizeof(seen->evidence), "%s", row->evidence);
	snprintf(seen->reply_to, sizeof(seen->reply_to), "%s", row->reply_to);
	return 0;
}

struct stand_request
mail_stand_request(void)
{
	struct stand_request seen = { 0 };

	OK(store_each_request(mail_stand.store, (enum request_state)0, 0, 1000,
	    note_request, &seen, &err));
	return seen;
}

struct mails {
	struct buf	*text;
	char		 recipient[256];
	unsigned int	 n;
};

static int
note_mail(const struct outbox_row *row, void *arg)
{
	struct mails *mails = arg;

	mails->n++;
	snprintf(mails->recipient, sizeof(mails->recipient), "%s",
	    row->recipient);
	if (mails->text != NULL) {
		buf_clear(mails->text);
		buf_append_bytes(mails->text, row->message);
	}
	return 0;
}

const char *
mail_stand_mail(struct buf *out, unsigned int *n)
{
	static struct mails mails;

	mails = (struct mails){ .text = out };
	OK(store_each_outbox(mail_stand.store, OUTBOX_QUEUED, 0, 1000,
	    note_mail, &mails, &err));
	if (n != NULL)
		*n = mails.n;
	return mails.recipient;
}
