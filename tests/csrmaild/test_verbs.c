#include "csrmaild/verbs.h"

#include "csrmaild/acts.h"
#include "csrmaild/publish.h"
#include "csrmaild/registry.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The verbs over a real store and a registrar that only remembers what it was
 * told: each function of acts.h that a verb may call stands here.
 */
static char told[512];
static struct err failure;		/* kind 0: it works */
static uint64_t examined;

static int
outcome(struct err *err)
{
	if (failure.kind == 0)
		return 0;
	*err = failure;
	return -1;
}

int
registrar_approve(struct registrar *r, int64_t request, const char *who,
    time_t now, struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "approve %lld by %s", (long long)request,
	    who);
	return outcome(err);
}

int
registrar_reject(struct registrar *r, int64_t request, const char *reason,
    const char *who, time_t now, struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "reject %lld \"%s\" by %s",
	    (long long)request, reason, who);
	return outcome(err);
}

int
registrar_revoke(struct registrar *r, int64_t ca, const struct serial *serial,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    struct err *err)
{
	char hex[SERIAL_HEX_SIZE];

	(void)r;
	(void)now;
	serial_to_hex(serial, hex);
	snprintf(told, sizeof(told), "revoke %lld/%s %s %lld by %s",
	    (long long)ca, hex, crl_reason_name(reason),
	    (long long)invalidity, who);
	return outcome(err);
}

int
registrar_release(struct registrar *r, int64_t ca, const struct serial *serial,
    const char *who, time_t now, struct err *err)
{
	char hex[SERIAL_HEX_SIZE];

	(void)r;
	(void)now;
	serial_to_hex(serial, hex);
	snprintf(told, sizeof(told), "release %lld/%s by %s", (long long)ca,
	    hex, who);
	return outcome(err);
}

int
registrar_approve_revocation(struct registrar *r, int64_t revocation,
    const char *who, time_t now, struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "approve revocation %lld by %s",
	    (long long)revocation, who);
	return outcome(err);
}

int
registrar_reject_revocation(struct registrar *r, int64_t revocation,
    const char *why, const char *who, time_t now, struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "reject revocation %lld \"%s\" by %s",
	    (long long)revocation, why, who);
	return outcome(err);
}

bool
registrar_is_of_ca(const struct registrar *r, const struct cert_row *row)
{
	(void)r;
	return strcmp(row->profile, "ca") == 0;
}

int
registrar_revoke_all(struct registrar *r, const struct cert_filter *filter,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    unsigned int *n, struct err *err)
{
	(void)r;
	(void)invalidity;
	(void)now;
	*n = 3;
	snprintf(told, sizeof(told), "revoke key %02x %s by %s",
	    filter->spki_sha256[0], crl_reason_name(reason), who);
	return outcome(err);
}

int
registrar_each_matching(struct registrar *r, const struct cert_filter *filter,
    const char *match, unsigned int limit,
    int (*fn)(const struct cert_row *, void *), void *arg, struct err *err)
{
	static const uint8_t shared[32] = { [31] = 0x5a };
	const struct cert_row row = { .ca = "users", .names_text = "CN=a",
		.serial = { { 9 }, 1 }, .state = CERT_ISSUED,
		.profile = "user", .spki_sha256 = match != NULL &&
		strcmp(match, "*.shared") == 0 ? shared : NULL };

	(void)r;
	snprintf(told, sizeof(told), "look for %s %s %u",
	    match == NULL ? "a key" : match,
	    filter->ca == NULL ? "" : filter->ca, limit);
	return outcome(err) == 0 ? fn(&row, arg) : -1;
}

int
registrar_revoke_matching(struct registrar *r,
    const struct cert_filter *filter, const char *match,
    unsigned int expected, enum crl_reason reason, time_t invalidity,
    const char *who, time_t now, unsigned int *n, struct err *err)
{
	(void)r;
	(void)now;
	*n = expected;
	snprintf(told, sizeof(told), "revoke %u %s %02x %s %lld by %s",
	    expected, match == NULL ? "-" : match,
	    filter->spki_sha256 == NULL ? 0 : filter->spki_sha256[31],
	    crl_reason_name(reason), (long long)invalidity, who);
	return outcome(err);
}

int
registrar_revoke_ca(struct registrar *r, const char *ca,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    unsigned int *n, struct err *err)
{
	(void)r;
	(void)now;
	*n = 5;
	snprintf(told, sizeof(told), "revoke CA %s %s %lld by %s", ca,
	    crl_reason_name(reason), (long long)invalidity, who);
	return outcome(err);
}

int
registrar_block_key(struct registrar *r, const uint8_t spki_sha256[32],
    bool compromised, const char *why, const char *who, time_t now,
    unsigned int *revoked, struct err *err)
{
	(void)r;
	(void)now;
	*revoked = compromised ? 3 : 0;
	snprintf(told, sizeof(told), "block %02x%02x %d \"%s\" by %s",
	    spki_sha256[0], spki_sha256[31], compromised, why, who);
	return outcome(err);
}

int
registrar_import_keys(struct registrar *r, const char *lines,
    const char *why, const char *who, time_t now, struct key_import *out,
    struct err *err)
{
	(void)r;
	(void)now;
	*out = (struct key_import){ 5, 4 };
	snprintf(told, sizeof(told), "import %s \"%s\" by %s", lines, why,
	    who);
	return outcome(err);
}

int
registrar_examine_csr(struct registrar *r, struct bytes octets,
    uint64_t token, struct err *err)
{
	(void)r;
	snprintf(told, sizeof(told), "examine %.*s", (int)octets.len,
	    (const char *)octets.data);
	examined = token;
	return outcome(err);
}

int
registrar_add_cli_request(struct registrar *r, const struct candidate *csr,
    const char *ca, const char *profile, int64_t validity_s, const char *who,
    time_t now, int64_t *request, struct err *err)
{
	(void)r;
	(void)csr;
	(void)now;
	snprintf(told, sizeof(told), "add %s %s %lld by %s", ca, profile,
	    (long long)validity_s, who);
	*request = 77;
	return outcome(err);
}

int
registrar_find_renewable(struct registrar *r, const struct renewal *renewal,
    time_t now, struct buf *csr, struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "find %lld/%02x", (long long)renewal->ca,
	    renewal->serial.octets[0]);
	buf_append_str(csr, "on record");
	return outcome(err);
}

int
registrar_renew(struct registrar *r, const struct renewal *renewal,
    const struct candidate *csr, const char *who, time_t now,
    int64_t *request, struct err *err)
{
	(void)r;
	(void)csr;
	(void)now;
	snprintf(told, sizeof(told), "%s %lld/%02x %lld%s%s %s by %s",
	    renewal->reissue ? "reissue" : "renew", (long long)renewal->ca,
	    renewal->serial.octets[0], (long long)renewal->validity_s,
	    renewal->no_mail ? " no mail" : "",
	    renewal->revoke_old ? " revoke old" : "", renewal->reissue ?
	    crl_reason_name(renewal->reason) : "-", who);
	*request = 78;
	return outcome(err);
}

int
registrar_publish_crl(struct registrar *r, const char *ca, struct err *err)
{
	(void)r;
	snprintf(told, sizeof(told), "publish %s", ca);
	return outcome(err);
}

int
publish_install(struct registrar *r, const char *ca,
    const struct crl_terms *terms, const struct crl_entry *entries, size_t n,
    struct bytes der, const char *who, struct err *err)
{
	(void)r;
	snprintf(told, sizeof(told), "install %s %llu, %zu octets, %zu: %s by "
	    "%s", ca, (unsigned long long)terms->number, der.len, n,
	    n == 0 ? "none" : crl_reason_name(entries[n - 1].reason), who);
	return outcome(err);
}

const struct profile *
registrar_profile(const struct registrar *r, const char *name)
{
	return strcmp(name, profile_ocsp_responder()->name) == 0 ?
	    profile_ocsp_responder() : settings_profile(r->settings, name);
}

int
registrar_reload(struct registrar *r, const char *who, time_t now,
    struct err *err)
{
	(void)r;
	(void)now;
	snprintf(told, sizeof(told), "reload by %s", who);
	return outcome(err);
}

void
registrar_describe_status(struct registrar *r, json_t *out)
{
	(void)r;
	json_object_set_new(out, "smtp", json_string("well"));
}

/* --- a small CA --- */

static struct registrar registrar;
static struct channel *api_end;
static char folder[] = "/tmp/test_verbs.XXXXXX";
static const struct principal boss = { "unix", "boss", RIGHT_ALL };
static int64_t ca_id, other_ca;

static void
add_certificate(int64_t ca, uint8_t serial)
{
	struct cert_row row = { .ca_id = ca, .state = CERT_ISSUED,
		.serial = { { serial }, 1 }, .not_before = NOON,
		.not_after = NOON + 90 * DAY, .profile = "user",
		.names_text = "CN=a", .der = bytes_of("DER"),
		.reply_to = "" };
	struct err err = { 0 };

	ck_assert_msg(store_add_certificate(registrar.store, &row, &err) == 0,
	    "%s %s", err.text, err.detail);
}

static int64_t
add_request(enum request_state state)
{
	static uint32_t uid;
	const uint8_t digest[32] = { 1 };
	struct submission_row submission = { .channel = "mail",
		.mailbox = "users", .uid_validity = 1, .uid = ++uid,
		.principal = "mail:a@example.test", .evidence = "dkim",
		.reply_to = "a@example.test", .message_id = "",
		.references = "", .subject = "\xff raw", .outcome = "held",
		.received_at = NOON };
	struct request_row row = { .state = state, .ca = "users",
		.profile = "user", .csr = bytes_of("CSR"),
		.csr_digest = digest, .names_text = "CN=a", .key_text = "P-256",
		.rule = "default", .reason = "", .ignored = "",
		.decided_by = "" };
	struct err err = { 0 };
	int64_t id;

	submission.identity[0] = (uint8_t)uid;
	ck_assert_msg(store_add_submission(registrar.store, &submission,
	    &row.submission, &err) == 0, "%s %s", err.text, err.detail);
	ck_assert_msg(store_add_request(registrar.store, &row, &id,
	    &err) == 0, "%s %s", err.text, err.detail);
	return id;
}

static int
note_certificate(const struct cert_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

/* A lost key is in it: that of a CA, or of nobody. */
static void
add_revocation(uint8_t serial, const char *profile, enum crl_reason reason)
{
	const uint8_t spki[32] = { serial };
	struct cert_row cert = { .ca_id = ca_id, .state = CERT_ISSUED,
		.serial = { { serial }, 1 }, .not_before = NOON,
		.not_after = NOON + 90 * DAY, .profile = profile,
		.names_text = "CN=a", .der = bytes_of("DER"),
		.spki_sha256 = spki };
	struct revocation_row row = { .submission = 1,
		.state = REVOCATION_HELD, .serial_text = "", .reason = reason,
		.rule = "default", .why = "", .decided_by = "" };
	struct err err = { 0 };
	int64_t id;

	ck_assert_msg(store_add_certificate(registrar.store, &cert,
	    &err) == 0, "%s %s", err.text, err.detail);
	ck_assert_int_eq(store_find_certificate(registrar.store, ca_id,
	    &cert.serial, note_certificate, &row.certificate, &err), 0);
	ck_assert_msg(store_add_revocation(registrar.store, &row, &id,
	    &err) == 0, "%s %s", err.text, err.detail);
}

static void
set_up(void)
{
	static char user_profile[] = "user";
	static struct ca_settings cas[1];
	static struct profile profile;
	static struct profile *profiles[1] = { &profile };
	static struct settings settings = { .cas = cas, .n_cas = 1,
		.profiles = profiles, .n_profiles = 1 };
	struct ca_row ca = { .name = "users", .parent = "",
		.cert = bytes_of("CERT"), .not_before = NOON,
		.not_after = NOON + 3650 * DAY };
	char path[64];
	int pair[2];
	struct err err = { 0 };

	strcpy(folder, "/tmp/test_verbs.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store.db", folder);
	memset(&registrar, 0, sizeof(registrar));
	ck_assert_msg(store_open(path, STORE_READ_WRITE, &registrar.store,
	    &err) == 0, "%s %s", err.text, err.detail);
	cas[0].name = strcpy(malloc(6), "users");
	strcpy(profile.name, user_profile);
	registrar.settings = &settings;
	registrar.seals[0] = (struct wire_seals){ "users", true, "ends soon" };
	registrar.seals[1] = (struct wire_seals){ "hosts", false, "expired" };
	registrar.n_seals = 2;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	registrar.api = channel_new(pair[0], "api", 4096, WIRE_MAX_RESULT);
	api_end = channel_new(pair[1], "registrar", WIRE_MAX_RESULT, 4096);
	failure.kind = 0;
	told[0] = '\0';
	clock_set_test_offset(NOON - time(NULL));
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_int_eq(store_add_ca(registrar.store, &ca, &ca_id, &err), 0);
	ca.name = "a/b";
	ca.key_sha1[0] = 1;
	ck_assert_int_eq(store_add_ca(registrar.store, &ca, &other_ca, &err),
	    0);
	for (int i = 0; i < 3; i++)
		add_request(REQUEST_HELD);
	add_certificate(ca_id, 1);
	add_certificate(ca_id, 2);
	add_certificate(other_ca, 2);
	add_revocation(0x71, "user", CRL_SUPERSEDED);
	add_revocation(0x72, "ca", CRL_KEY_COMPROMISE);
	ck_assert_int_eq(store_audit(registrar.store, NOON, "ca.created",
	    "unix:root", "ca:users", "", &err), 0);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
}

static void
tear_down(void)
{
	char command[64];

	free(registrar.settings->cas[0].name);
	store_free(registrar.store);
	channel_free(registrar.api);
	channel_free(api_end);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* One call; the answer is text until the next. */
static uint16_t
call_as(const struct principal *who, const char *method, const char *path,
    const char *json, char text[4096])
{
	struct wire_call call = { .connection = 5, .call = 6,
		.json = bytes_of(json) };
	OWNED_BUF(out, WIRE_MAX_RESULT);
	uint16_t status = 0;
	int later;

	snprintf(call.method, sizeof(call.method), "%s", method);
	snprintf(call.path, sizeof(call.path), "%s", path);
	later = verbs_call(&registrar, who, &call, &status, &out);
	snprintf(text, 4096, "%s", buf_str(&out));
	return later == 1 ? 1 : status;
}

#define KEY_HEX	"00000000000000000000000000000000" \
	"0000000000000000000000000000005a"

#define HEX63	"ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac40ac4"
#define HEX64	"0" HEX63

/* The arguments of crls/CA/install; the caller closes the object. */
#define INSTALL(number, from, until)					\
	"{\"number\":" #number ",\"this_update\":" #from		\
	",\"next_update\":" #until ",\"crl\":\"MAMC\""

static const struct {
	const char	*method, *path, *json;
	uint16_t	 status;
	const char	*in_answer;	/* or NULL */
	const char	*told;		/* "" nothing */
} calls[] = {
	{ "GET", "cas", "{}", 200, "\"name\":\"users\"", "" },
	{ "GET", "cas/users", "{}", 200, "BEGIN CERTIFICATE", "" },
	{ "GET", "cas/a%2Fb", "{}", 200, "\"name\":\"a/b\"", "" },
	{ "GET", "cas/a/b", "{}", 404, NULL, "" },
	{ "GET", "cas/none", "{}", 404, "there is no CA none", "" },
	{ "GET", "cas/%00", "{}", 404, NULL, "" },
	{ "GET", "cas/%1b", "{}", 404, NULL, "" },
	{ "GET", "cas/%zz", "{}", 404, NULL, "" },
	{ "GET", "cas/", "{}", 404, NULL, "" },
	{ "GET", "", "{}", 404, NULL, "" },
	{ "GET", "CAS", "{}", 404, NULL, "" },
	{ "GET", "nothing", "{}", 404, NULL, "" },
	{ "POST", "cas", "{}", 405, NULL, "" },
	{ "GET", "requests/1/approve", "{}", 405, NULL, "" },
	{ "GET", "cas", "[]", 400, NULL, "" },
	{ "GET", "cas", "{\"a\":1}", 400, "unknown argument: a", "" },
	{ "GET", "requests", "{}", 200, "\"next\":null", "" },
	{ "GET", "requests", "{\"limit\":\"2\"}", 200, "\"next\":2", "" },
	{ "GET", "requests", "{\"after\":2}", 200, "\"id\":3", "" },
	{ "GET", "requests", "{\"state\":\"issued\"}", 200,
	    "\"items\":[]", "" },
	{ "GET", "requests", "{\"state\":\"all\"}", 200, "\"id\":1", "" },
	{ "GET", "requests", "{\"state\":\"lost\"}", 400, NULL, "" },
	{ "GET", "requests", "{\"limit\":0}", 400, NULL, "" },
	{ "GET", "requests", "{\"limit\":1001}", 400, NULL, "" },
	{ "GET", "requests", "{\"limit\":\"2x\"}", 400, NULL, "" },
	{ "GET", "requests", "{\"limit\":\"-2\"}", 400, NULL, "" },
	{ "GET", "requests", "{\"limit\":[]}", 400, NULL, "" },
	{ "GET", "requests/1", "{}", 200, "\"subject\":\"? raw\"", "" },
	{ "GET", "requests/4", "{}", 404, NULL, "" },
	{ "GET", "requests/1x", "{}", 404, NULL, "" },
	{ "GET", "requests/-1", "{}", 404, NULL, "" },
	{ "GET", "requests/9999999999999999999", "{}", 404, NULL, "" },
	{ "POST", "requests/2/approve", "{}", 200, "\"id\":2",
	    "approve 2 by unix:boss" },
	{ "POST", "requests/4/approve", "{}", 404, NULL, "" },
	{ "POST", "requests/2/reject", "{\"reason\":\"no\"}", 200, NULL,
	    "reject 2 \"no\" by unix:boss" },
	{ "POST", "requests/2/reject", "{}", 200, NULL,
	    "reject 2 \"\" by unix:boss" },
	{ "POST", "requests/2/reject", "{\"reason\":1}", 400, NULL, "" },
	{ "GET", "revocations", "{}", 200, "\"next\":null", "" },
	{ "GET", "revocations", "{\"limit\":1}", 200, "\"next\":1", "" },
	{ "GET", "revocations", "{\"state\":\"revoked\"}", 200,
	    "\"items\":[]", "" },
	{ "GET", "revocations", "{\"state\":\"issued\"}", 400, NULL, "" },
	{ "GET", "revocations/1", "{}", 200, "\"serial\":\"71\"", "" },
	{ "GET", "revocations/9", "{}", 404, NULL, "" },
	{ "POST", "revocations/1/approve", "{}", 200, "\"id\":1",
	    "approve revocation 1 by unix:boss" },
	{ "POST", "revocations/2/approve", "{}", 200, "\"id\":2",
	    "approve revocation 2 by unix:boss" },
	{ "POST", "revocations/9/approve", "{}", 404, NULL, "" },
	{ "POST", "revocations/1/reject", "{\"reason\":\"no\"}", 200, NULL,
	    "reject revocation 1 \"no\" by unix:boss" },
	{ "POST", "revocations/9/reject", "{}", 404, NULL, "" },
	{ "GET", "revocations/1/approve", "{}", 405, NULL, "" },
	{ "GET", "certificates", "{}", 200, "\"serial\":\"01\"", "" },
	{ "GET", "certificates", "{\"ca\":\"a/b\"}", 200,
	    "\"serial\":\"02\"", "" },
	{ "GET", "certificates", "{\"like\":\"zzz\"}", 200,
	    "\"items\":[]", "" },
	{ "GET", "certificates", "{\"state\":\"x\"}", 400, NULL, "" },
	{ "GET", "certificates", "{\"match\":\"A\"}", 200,
	    "\"serial\":\"01\"", "" },
	{ "GET", "certificates", "{\"match\":\"n*\"}", 200,
	    "\"items\":[]", "" },
	{ "GET", "certificates", "{\"match\":\"a\",\"limit\":2}", 200,
	    "\"next\":2", "" },
	{ "GET", "certificates", "{\"match\":\"a\",\"after\":2}", 200,
	    "\"ca\":\"a/b\"", "" },
	{ "GET", "certificates", "{\"key\":\"" KEY_HEX "\"}", 200,
	    "\"items\":[]", "" },
	{ "GET", "certificates", "{\"key\":\"g" HEX63 "\"}", 400, NULL, "" },
	{ "GET", "certificates", "{\"key\":\"00\"}", 400, NULL, "" },
	/* Until NOON + 90 days, that moment included. */
	{ "GET", "certificates", "{\"expiring\":90}", 200,
	    "\"serial\":\"01\"", "" },
	{ "GET", "certificates", "{\"expiring\":89}", 200, "\"items\":[]",
	    "" },
	{ "GET", "certificates", "{\"expiring\":0}", 400, NULL, "" },
	{ "GET", "certificates", "{\"expiring\":90,\"state\":\"issued\"}",
	    200, "\"serial\":\"01\"", "" },
	{ "GET", "certificates", "{\"expiring\":90,\"state\":\"revoked\"}",
	    400, "only what is issued", "" },
	{ "GET", "certificates", "{\"superseded\":1}", 200, "\"items\":[]",
	    "" },
	{ "GET", "certificates", "{\"superseded\":2}", 400, NULL, "" },
	{ "GET", "certificates/01", "{}", 200, "BEGIN CERTIFICATE", "" },
	{ "GET", "certificates/02", "{}", 409, "name the CA", "" },
	{ "GET", "certificates/02", "{\"ca\":\"a/b\"}", 200,
	    "\"ca\":\"a/b\"", "" },
	{ "GET", "certificates/02", "{\"ca\":\"none\"}", 404, NULL, "" },
	{ "GET", "certificates/03", "{}", 404, NULL, "" },
	{ "GET", "certificates/xyz", "{}", 400, NULL, "" },
	{ "POST", "certificates/01/revoke", "{\"reason\":\"superseded\"}",
	    200, "\"serial\":\"01\"", "revoke 1/01 superseded 0 by unix:boss" },
	{ "POST", "certificates/02/revoke", "{\"reason\":\"superseded\"}",
	    409, NULL, "" },
	{ "POST", "certificates/02/revoke",
	    "{\"ca\":\"a/b\",\"reason\":\"keyCompromise\","
	    "\"invalidity\":1000}", 200, NULL,
	    "revoke 2/02 keyCompromise 1000 by unix:boss" },
	{ "POST", "certificates/01/revoke", "{}", 400, NULL, "" },
	{ "POST", "certificates/01/revoke",
	    "{\"reason\":\"certificateHold\"}", 200, NULL,
	    "revoke 1/01 certificateHold 0 by unix:boss" },
	{ "POST", "certificates/01/revoke",
	    "{\"reason\":\"removeFromCRL\"}", 400, NULL, "" },
	{ "POST", "certificates/01/unhold", "{}", 200, "\"serial\":\"01\"",
	    "release 1/01 by unix:boss" },
	{ "POST", "certificates/03/unhold", "{}", 404, NULL, "" },
	{ "POST", "certificates/03/renew", "{}", 404, NULL, "" },
	{ "POST", "certificates/02/renew", "{}", 409, "name the CA", "" },
	{ "POST", "certificates/zz/reissue", "{}", 400, NULL, "" },
	{ "POST", "certificates/01/renew", "{\"days\":0}", 400, NULL, "" },
	{ "POST", "certificates/01/renew", "{\"reason\":\"superseded\"}",
	    400, "unknown argument", "" },
	{ "POST", "certificates/01/renew", "{\"no_mail\":2}", 400, NULL,
	    "" },
	{ "POST", "certificates/01/reissue", "{\"reason\":\"bored\"}", 400,
	    "is none", "" },
	{ "POST", "certificates/01/reissue", "{\"revoke_old\":1}", 400,
	    "unknown argument", "" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"match\":\"*.a\",\"ca\":\"users\"}", 200,
	    "\"serial\":\"09\"", "look for *.a users 101" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"match\":\"*.a\",\"max\":7,\"expected\":2}", 200,
	    "\"revoked\":2", "revoke 2 *.a 00 superseded 0 by unix:boss" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"key\":\"" KEY_HEX "\",\"expected\":1}", 200, NULL,
	    "revoke 1 - 5a superseded 0 by unix:boss" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\"}",
	    400, "one of the two", "" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"match\":\"*\",\"key\":\"" KEY_HEX "\"}", 400,
	    "one of the two", "" },
	{ "POST", "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"match\":\"*\",\"max\":10001}", 400, NULL, "" },
	{ "POST", "certificates/revoke", "{\"match\":\"*\"}", 400, NULL,
	    "" },
	{ "POST", "cas/users/revoke", "{\"reason\":\"cACompromise\","
	    "\"invalidity\":1000}", 200, "\"revoked\":5",
	    "revoke CA users cACompromise 1000 by unix:boss" },
	{ "POST", "cas/users~1/revoke", "{\"reason\":\"superseded\"}", 200,
	    "\"revoked\":5", "revoke CA users~1 superseded 0 by unix:boss" },
	{ "POST", "cas/users~2/revoke", "{\"reason\":\"superseded\"}", 404,
	    NULL, "" },
	{ "POST", "cas/none/revoke", "{\"reason\":\"cACompromise\"}", 404,
	    NULL, "" },
	{ "POST", "certificates/01/revoke", "{\"reason\":\"bored\"}", 400,
	    NULL, "" },
	{ "POST", "certificates/01/revoke",
	    "{\"reason\":\"superseded\",\"invalidity\":99999999999}", 400,
	    NULL, "" },
	{ "GET", "crls", "{}", 200, "\"ca\":\"users\"", "" },
	{ "POST", "crls/users/update", "{}", 202, NULL, "publish users" },
	{ "POST", "crls/users~1/update", "{}", 202, "\"ca\":\"users\"",
	    "publish users~1" },
	{ "POST", "crls/users~2/update", "{}", 404, NULL, "" },
	{ "POST", "crls/none/update", "{}", 404, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999) "}", 200,
	    NULL, "install root 9, 3 octets, 0: none by unix:boss" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999)
	    ",\"revoked\":\"01 5 superseded\\n0a 6 keyCompromise\\n\"}", 200,
	    NULL, "install root 9, 3 octets, 2: keyCompromise by unix:boss" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 2) "}", 422, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 99999999998, 99999999999)
	    "}", 422, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(0, 1, 99999999999) "}", 400,
	    NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999)
	    ",\"revoked\":\"01 5 superseded\"}", 400, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999)
	    ",\"revoked\":\"01 5 bored\\n\"}", 400, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999)
	    ",\"revoked\":\"zz 5 superseded\\n\"}", 400, NULL, "" },
	{ "POST", "crls/root/install", INSTALL(9, 1, 99999999999)
	    ",\"revoked\":\"01 0 superseded\\n\"}", 400, NULL, "" },
	{ "POST", "crls/root/install", "{\"number\":1}", 400, NULL, "" },
	{ "GET", "keys", "{}", 200, "\"items\":[]", "" },
	{ "POST", "keys/block", "{\"key\":\"" HEX64 "\"}", 200,
	    "\"kind\":\"blocked\"", "block 0ac4 0 \"\" by unix:boss" },
	{ "POST", "keys/block", "{\"key\":\"" HEX64 "\",\"compromised\":1,"
	    "\"reason\":\"stolen\"}", 200, "\"revoked\":3",
	    "block 0ac4 1 \"stolen\" by unix:boss" },
	{ "POST", "keys/block", "{}", 400, NULL, "" },
	{ "POST", "keys/block", "{\"key\":\"0a\"}", 400, NULL, "" },
	{ "POST", "keys/block", "{\"key\":\"g" HEX63 "\"}", 400,
	    "hexadecimal", "" },
	{ "POST", "keys/import", "{\"lines\":\"0a\"}", 200, "\"new\":4",
	    "import 0a \"\" by unix:boss" },
	{ "POST", "keys/import", "{}", 400, NULL, "" },
	{ "GET", "outbox", "{}", 200, "\"items\":[]", "" },
	{ "GET", "outbox", "{\"state\":\"lost\"}", 400, NULL, "" },
	{ "GET", "audit", "{}", 200, "\"event\":\"ca.created\"", "" },
	{ "GET", "audit/verify", "{}", 200, "\"intact\":true", "" },
	{ "GET", "status", "{}", 200, "\"held\":3", "" },
	{ "GET", "status", "{}", 200, "\"smtp\":\"well\"", "" },
	{ "GET", "status", "{}", 200, "mailbox users: ends soon", "" },
	{ "GET", "status", "{}", 200, "mailbox hosts cannot sign its replies, "
	  "and they wait: expired", "" },
	{ "GET", "status", "{}", 200, "users has no CRL yet", "" },
	{ "POST", "reload", "{}", 202, NULL, "reload by unix:boss" },
};

START_TEST(each_verb_answers)
{
	char text[4096];
	uint16_t status = call_as(&boss, calls[_i].method, calls[_i].path,
	    calls[_i].json, text);

	ck_assert_msg(status == calls[_i].status, "%s %s %s: %u %s",
	    calls[_i].method, calls[_i].path, calls[_i].json, status, text);
	ck_assert_msg(calls[_i].in_answer == NULL ||
	    strstr(text, calls[_i].in_answer) != NULL, "%s: %s",
	    calls[_i].path, text);
	ck_assert_str_eq(told, calls[_i].told);
	if (status >= 400)
		ck_assert_ptr_nonnull(strstr(text, "\"detail\":"));
}
END_TEST

#define CODE	"00112233445566778899aabbccddeeff"

/* Whoever may read mails must not be able to confirm for their recipients. */
START_TEST(a_code_that_confirms_is_shown_to_nobody)
{
	const struct outbox_row row = { .state = OUTBOX_QUEUED,
		.mailbox = "users", .sender = "ca@example.test",
		.recipient = "a@example.test", .message_id = "x@example.test",
		.message = bytes_of("Subject: Please confirm [csrmail:" CODE
		"]\r\n\r\nhello\r\n"), .submission = 1 };
	struct err err = { 0 };
	char text[4096];
	int64_t id;

	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_msg(store_add_outbox(registrar.store, &row, &id, &err) == 0,
	    "%s %s", err.text, err.detail);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	ck_assert_uint_eq(call_as(&boss, "GET", "outbox/1", "{}", text), 200);
	ck_assert_ptr_nonnull(strstr(text, "[csrmail:****"));
	ck_assert_ptr_nonnull(strstr(text, "hello"));
	ck_assert_ptr_null(strstr(text, CODE));
}
END_TEST

static const struct {
	const char	*method, *path;
	unsigned int	 rights;	/* one of them suffices */
} guarded[] = {
	{ "GET",  "cas",			RIGHT_ALL },
	{ "GET",  "cas/users",			RIGHT_ALL },
	{ "GET",  "requests",			RIGHT_ALL },
	{ "POST", "requests",			RIGHT_ADMIN },
	{ "GET",  "requests/1",			RIGHT_ALL },
	{ "POST", "requests/1/approve",		RIGHT_ADMIN },
	{ "POST", "requests/1/reject",		RIGHT_ADMIN },
	{ "GET",  "revocations",		RIGHT_ALL },
	{ "GET",  "revocations/1",		RIGHT_ALL },
	{ "POST", "revocations/1/approve",	RIGHT_ADMIN },
	{ "POST", "revocations/1/reject",	RIGHT_ADMIN },
	{ "GET",  "certificates",		RIGHT_ALL },
	{ "GET",  "certificates/01",		RIGHT_ALL },
	{ "POST", "certificates/01/revoke",	RIGHT_ADMIN | RIGHT_SECURITY },
	{ "POST", "certificates/01/unhold",	RIGHT_ADMIN },
	{ "POST", "certificates/09/renew",	RIGHT_ADMIN },
	{ "POST", "certificates/09/reissue",	RIGHT_ADMIN },
	{ "POST", "certificates/revoke",	RIGHT_ADMIN },
	{ "POST", "cas/users/revoke",		RIGHT_SECURITY },
	{ "GET",  "crls",			RIGHT_ALL },
	{ "POST", "crls/users/update",	RIGHT_ADMIN | RIGHT_SECURITY },
	{ "POST", "crls/users/install",	RIGHT_SECURITY },
	{ "GET",  "keys",			RIGHT_ALL },
	{ "POST", "keys/block",		RIGHT_ADMIN | RIGHT_SECURITY },
	{ "POST", "keys/import",	RIGHT_ADMIN | RIGHT_SECURITY },
	{ "GET",  "outbox",			RIGHT_ALL },
	{ "GET",  "audit",		RIGHT_SECURITY | RIGHT_AUDIT },
	{ "GET",  "audit/verify",	RIGHT_SECURITY | RIGHT_AUDIT },
	{ "GET",  "status",			RIGHT_ALL },
	{ "POST", "reload",			RIGHT_SECURITY },
};

START_TEST(only_who_has_the_right_may)
{
	char text[4096];

	for (unsigned int right = 0; right <= RIGHT_AUDIT;
	    right = right == 0 ? 1 : right << 1) {
		const struct principal who = { "unix", "who", right };
		uint16_t status = call_as(&who, guarded[_i].method,
		    guarded[_i].path, "{}", text);

		ck_assert_msg((status == 403) ==
		    ((right & guarded[_i].rights) == 0), "%s %s by %u: %u",
		    guarded[_i].method, guarded[_i].path, right, status);
		if (status == 403)
			ck_assert_str_eq(told, "");
		told[0] = '\0';
	}
}
END_TEST

/* 03 is a CA's certificate, 04 one of a responder, 05 one of nobody's with the
 * CA's key; who matches "*.shared" has that too. */
static const struct {
	const char	*path, *json;
	bool		 admin_may;
} about_cas[] = {
	{ "revocations/1/approve", "{}", true },
	{ "revocations/2/approve", "{}", false },
	{ "certificates/05/revoke", "{\"reason\":\"superseded\"}", true },
	{ "certificates/05/revoke", "{\"reason\":\"keyCompromise\"}", false },
	{ "certificates/05/revoke", "{\"reason\":\"cACompromise\"}", false },
	{ "certificates/01/revoke", "{\"reason\":\"keyCompromise\"}", true },
	{ "certificates/revoke", "{\"reason\":\"keyCompromise\","
	    "\"match\":\"*.shared\"}", false },
	{ "certificates/revoke", "{\"reason\":\"keyCompromise\","
	    "\"match\":\"*.shared\",\"expected\":1}", false },
	{ "certificates/revoke", "{\"reason\":\"superseded\","
	    "\"match\":\"*.shared\",\"expected\":1}", true },
	{ "certificates/revoke", "{\"reason\":\"keyCompromise\","
	    "\"match\":\"*\",\"expected\":1}", true },
	{ "certificates/01/revoke", "{\"reason\":\"superseded\"}", true },
	{ "certificates/03/revoke", "{\"reason\":\"superseded\"}", false },
	{ "certificates/03/revoke", "{\"reason\":\"certificateHold\"}",
	    false },
	{ "certificates/01/unhold", "{}", true },
	{ "certificates/03/unhold", "{}", false },
	{ "certificates/01/renew", "{}", true },
	{ "certificates/04/renew", "{}", false },
	{ "certificates/04/reissue", "{}", false },
	{ "certificates/revoke", "{\"reason\":\"superseded\",\"key\":\""
	    HEX64 "\"}", true },
	{ "certificates/revoke", "{\"reason\":\"superseded\",\"key\":\""
	    KEY_HEX "\"}", false },
	{ "certificates/revoke", "{\"reason\":\"superseded\",\"key\":\""
	    KEY_HEX "\",\"expected\":1}", false },
	{ "keys/block", "{\"key\":\"" HEX64 "\",\"compromised\":1}", true },
	{ "keys/block", "{\"key\":\"" KEY_HEX "\",\"compromised\":1}",
	    false },
	{ "keys/block", "{\"key\":\"" KEY_HEX "\"}", true },
	{ "requests", "{\"ca\":\"users\",\"profile\":\"user\","
	    "\"csr\":\"PEM\"}", true },
	{ "requests", "{\"ca\":\"users~1\",\"profile\":\"user\","
	    "\"csr\":\"PEM\"}", true },
	{ "requests", "{\"ca\":\"users\",\"profile\":\"ocsp-responder\","
	    "\"csr\":\"PEM\"}", false },
};

static void
record_about_cas(void)
{
	const uint8_t key[32] = { [31] = 0x5a };
	struct cert_row row = { .ca_id = ca_id, .state = CERT_ISSUED,
		.serial = { { 3 }, 1 }, .not_before = NOON,
		.not_after = NOON + 90 * DAY, .profile = "ca",
		.names_text = "CN=CA", .der = bytes_of("DER"),
		.reply_to = "", .spki_sha256 = key };
	struct err err = { 0 };

	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_int_eq(store_add_certificate(registrar.store, &row, &err),
	    0);
	row.serial.octets[0] = 5;
	row.profile = "";
	ck_assert_int_eq(store_add_certificate(registrar.store, &row, &err),
	    0);
	row.serial.octets[0] = 4;
	row.profile = "ocsp-responder";
	row.spki_sha256 = NULL;
	ck_assert_int_eq(store_add_certificate(registrar.store, &row, &err),
	    0);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
}

START_TEST(what_is_about_cas_is_for_csrmail_security)
{
	const struct principal admin = { "unix", "clerk", RIGHT_ADMIN };
	const struct principal both = { "unix", "clerk",
		RIGHT_ADMIN | RIGHT_SECURITY };
	char text[4096];
	uint16_t status;

	record_about_cas();
	status = call_as(&admin, "POST", about_cas[_i].path,
	    about_cas[_i].json, text);
	verbs_closed(5);
	ck_assert_msg((status != 403) == about_cas[_i].admin_may, "%s: %u %s",
	    about_cas[_i].path, status, text);
	if (!about_cas[_i].admin_may) {
		/* At most it was looked for. */
		ck_assert_msg(told[0] == '\0' || strncmp(told, "look", 4) ==
		    0, "%s", told);
		ck_assert_ptr_nonnull(strstr(text, "csrmail-security"));
	}
	status = call_as(&both, "POST", about_cas[_i].path,
	    about_cas[_i].json, text);
	verbs_closed(5);
	ck_assert_msg(status < 300, "%s: %u %s", about_cas[_i].path, status,
	    text);
	ck_assert_str_ne(told, "");
}
END_TEST

/* Who is in csrmail-security alone decides about CAs, and nothing else. */
static const struct {
	const char	*path, *json;
	const char	*told;		/* "": it is refused, */
	const char	*why;		/* with this in the answer */
} for_security[] = {
	{ "certificates/03/revoke", "{\"reason\":\"superseded\"}",
	    "revoke 1/03 superseded 0 by unix:guard", NULL },
	{ "certificates/03/revoke", "{\"reason\":\"cACompromise\"}",
	    "revoke 1/03 cACompromise 0 by unix:guard", NULL },
	{ "certificates/03/unhold", "{}", "release 1/03 by unix:guard",
	    NULL },
	{ "certificates/01/revoke", "{\"reason\":\"superseded\"}", "",
	    "csrmail-admin" },
	{ "certificates/05/revoke", "{\"reason\":\"keyCompromise\"}", "",
	    "csrmail-admin" },
	{ "certificates/01/unhold", "{}", "", "csrmail-admin" },
	{ "certificates/03/renew", "{}", "", "may not do this" },
	{ "certificates/revoke", "{\"reason\":\"superseded\",\"key\":\""
	    KEY_HEX "\",\"expected\":1}", "", "may not do this" },
};

START_TEST(csrmail_security_alone_decides_about_cas)
{
	const struct principal guard = { "unix", "guard", RIGHT_SECURITY };
	char text[4096];
	uint16_t status;

	record_about_cas();
	status = call_as(&guard, "POST", for_security[_i].path,
	    for_security[_i].json, text);
	ck_assert_msg(status == (for_security[_i].why == NULL ? 200 : 403),
	    "%s: %u %s", for_security[_i].path, status, text);
	ck_assert_str_eq(told, for_security[_i].told);
	if (for_security[_i].why != NULL)
		ck_assert_ptr_nonnull(strstr(text, for_security[_i].why));
}
END_TEST

/* The CA is valid for 3650 days from NOON, and the CRL of the other, which
 * is made elsewhere, for a year. */
static const struct {
	int64_t		 days;		/* since NOON */
	bool		 followed;	/* by a newer key */
	const char	*trouble;	/* there, or with "!" in front not */
} ends[] = {
	{ 3000,	false, "!the certificate of users" },
	{ 3619,	false, "!the certificate of users" },
	{ 3621,	false, "the certificate of users ends on 2035-12-30" },
	{ 3651,	false, "the certificate of users has expired" },
	{ 3651,	true,  "!the certificate of users" },
	{ 3000,	false, "!cut short" },
	{ 3561,	false, "cut short: users, which signs them, ends on" },
	{ 3561,	true,  "!cut short" },
	{ 300,	false, "!the CRL of a/b" },
	{ 336,	false, "the CRL of a/b ends on 2027-01-01" },
	{ 366,	false, "the CRL of a/b has expired" },
};

START_TEST(status_tells_in_time_that_something_ends)
{
	static char title[] = "staff", users[] = "users", user[] = "user";
	struct mailbox_settings mailbox = { .title = title, .ca = users,
		.profile = user };
	const struct crl_terms terms = { .number = 1, .this_update = NOON,
		.next_update = NOON + 365 * DAY };
	const char *want = ends[_i].trouble;
	char text[4096];
	struct authority *a = registrar.authorities.rows;
	struct err err = { 0 };

	registrar.settings->profiles[0]->validity_s = 90 * DAY;
	registrar.settings->mailboxes = &mailbox;
	registrar.settings->n_mailboxes = 1;
	for (int i = 0; i < 2; i++)
		a[i] = (struct authority){ .id = i == 0 ? ca_id : 99,
			.not_before = NOON, .not_after = NOON +
			(i == 0 ? 3650 : 9000) * DAY,
			.settings = &registrar.settings->cas[0] };
	strcpy(a[0].name, "users");
	strcpy(a[1].name, "users~2");
	registrar.authorities.n = ends[_i].followed ? 2 : 1;
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_int_eq(store_reserve_crl(registrar.store, other_ca, &terms,
	    0, &err), 0);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	clock_set_test_offset(NOON + ends[_i].days * DAY - time(NULL));
	ck_assert_uint_eq(call_as(&boss, "GET", "status", "{}", text),
	    200);
	if (want[0] == '!')
		ck_assert_msg(strstr(text, want + 1) == NULL, "%s", text);
	else
		ck_assert_msg(strstr(text, want) != NULL, "%s", text);
	registrar.settings->n_mailboxes = 0;
	registrar.settings->profiles[0]->validity_s = 0;
}
END_TEST

/* It is on no list until somebody makes one where the key of its parent is. */
START_TEST(status_tells_that_a_carried_crl_lacks_a_revoked_ca)
{
	static const char lacks[] = "the CRL of a/b does not say yet that "
	    "users is revoked: make the next one where its key is";
	const struct crl_terms terms = { .number = 1, .this_update = NOON,
		.next_update = NOON + 365 * DAY };
	const struct serial serial = { { 2 }, 1 };
	const bool after = _i == 1;
	struct authority *a = registrar.authorities.rows;
	struct err err = { 0 };
	char text[4096];

	*a = (struct authority){ .id = ca_id, .not_before = NOON,
		.not_after = NOON + 3650 * DAY, .n_certs = 1,
		.certs = { X509_new() } };
	strcpy(a->name, "users");
	strcpy(a->parent, "a/b");
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(
	    a->certs[0]), 2), 1);
	registrar.authorities.n = 1;
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_int_eq(store_reserve_crl(registrar.store, other_ca, &terms,
	    0, &err), 0);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	clock_set_test_offset(NOON + DAY - time(NULL));
	ck_assert_uint_eq(call_as(&boss, "GET", "status", "{}", text), 200);
	ck_assert_msg(strstr(text, lacks) == NULL, "%s", text);
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	ck_assert_int_eq(store_revoke(registrar.store, other_ca, &serial,
	    after ? NOON + 9 : NOON - 9, CRL_CA_COMPROMISE, 0, &err), 0);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	ck_assert_uint_eq(call_as(&boss, "GET", "status", "{}", text), 200);
	ck_assert_msg((strstr(text, lacks) != NULL) == after, "%s", text);
	X509_free(a->certs[0]);
	a->n_certs = 0;
}
END_TEST

START_TEST(a_failure_says_whose_it_is)
{
	static const struct {
		enum err_kind	kind;
		uint16_t	status;
	} kinds[] = { { ERR_REJECT, 409 }, { ERR_RETRY, 503 },
		{ ERR_FAULT, 500 } };
	char text[4096];

	for (size_t i = 0; i < 3; i++) {
		err_set(&failure, kinds[i].kind, "not %d", 12);
		snprintf(failure.detail, sizeof(failure.detail), "secret");
		ck_assert_uint_eq(call_as(&boss, "POST", "requests/1/approve",
		    "{}", text), kinds[i].status);
		ck_assert_ptr_nonnull(strstr(text, "not 12"));
		ck_assert_ptr_null(strstr(text, "secret"));
	}
}
END_TEST

/* --- a file that an administrator brings --- */

#define SIGN "{\"ca\":\"users\",\"profile\":\"user\",\"days\":2,"	\
	"\"csr\":\"PEM\"}"

static struct findings *
found(enum findings_status status, size_t n, bool good)
{
	struct findings *f = calloc(1, sizeof(*f));

	f->status = status;
	f->n_candidates = n;
	snprintf(f->text, sizeof(f->text), "as a whole");
	for (size_t i = 0; i < n; i++) {
		f->candidates[i].good = good;
		snprintf(f->candidates[i].text, 256, "too weak");
	}
	return f;
}

/* The late answer, if any; its status, or 0. */
static uint16_t
late(char text[4096])
{
	struct pollfd p = { channel_fd(api_end), POLLIN, 0 };
	struct wire_result result;
	struct frame frame;
	struct err err;

	if (poll(&p, 1, 0) != 1)
		return 0;
	ck_assert_int_eq(channel_read(api_end, &err), 0);
	ck_assert_int_eq(channel_next(api_end, &frame, &err), 1);
	ck_assert_int_eq(wire_get_result(&frame, &result, &err), 0);
	ck_assert_uint_eq(result.connection, 5);
	ck_assert_uint_eq(result.call, 6);
	snprintf(text, 4096, "%.*s", (int)result.json.len,
	    (const char *)result.json.data);
	return result.status;
}

static const struct {
	const char	*name;
	enum findings_status status;
	size_t		 n;
	bool		 good, private_key;
	uint16_t	 want;
	const char	*text;
} files[] = {
	{ "one good request", FINDINGS_OK, 1, true, false, 201, "\"id\":77" },
	{ "a bad one", FINDINGS_OK, 1, false, false, 422, "too weak" },
	{ "none", FINDINGS_OK, 0, true, false, 422, "no certificate signing" },
	{ "two", FINDINGS_OK, 2, true, false, 422, "more than one" },
	{ "refused", FINDINGS_REFUSED, 1, true, false, 422, "as a whole" },
	{ "unreadable", FINDINGS_UNREADABLE, 0, true, false, 422,
	    "as a whole" },
	{ "with its key", FINDINGS_OK, 1, true, true, 422, "private key" },
};

START_TEST(a_file_is_examined_before_it_is_answered)
{
	OWNED_STRUCT(findings) *f = found(files[_i].status, files[_i].n,
	    files[_i].good);
	char text[4096];

	f->private_key = files[_i].private_key;
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 1);
	ck_assert_str_eq(told, "examine PEM");
	ck_assert_uint_eq(late(text), 0);
	verbs_examined(&registrar, examined + 1, f);
	ck_assert_uint_eq(late(text), 0);
	verbs_examined(&registrar, examined, f);
	ck_assert_msg(late(text) == files[_i].want, "%s: %s", files[_i].name,
	    text);
	ck_assert_ptr_nonnull(strstr(text, files[_i].text));
	ck_assert_str_eq(told, files[_i].want == 201 ?
	    "add users user 172800 by unix:boss" : "examine PEM");
	/* Once only. */
	verbs_examined(&registrar, examined, f);
	ck_assert_uint_eq(late(text), 0);
}
END_TEST

static const struct {
	const char	*path, *json;
	const char	*told;
} renewals[] = {
	{ "certificates/01/renew", "{}", "renew 1/01 0 - by unix:boss" },
	{ "certificates/02/renew", "{\"ca\":\"a/b\",\"days\":2,"
	    "\"no_mail\":1,\"revoke_old\":1}",
	    "renew 2/02 172800 no mail revoke old - by unix:boss" },
	{ "certificates/01/reissue", "{}",
	    "reissue 1/01 0 superseded by unix:boss" },
	{ "certificates/01/reissue", "{\"reason\":\"privilegeWithdrawn\","
	    "\"no_mail\":1,\"days\":1}",
	    "reissue 1/01 86400 no mail privilegeWithdrawn by unix:boss" },
};

START_TEST(a_request_on_record_is_examined_before_it_is_signed_anew)
{
	OWNED_STRUCT(findings) *good = found(FINDINGS_OK, 1, true);
	OWNED_STRUCT(findings) *bad = found(FINDINGS_OK, 1, false);
	char text[4096];

	ck_assert_uint_eq(call_as(&boss, "POST", renewals[_i].path,
	    renewals[_i].json, text), 1);
	ck_assert_str_eq(told, "examine on record");
	verbs_examined(&registrar, examined, good);
	ck_assert_uint_eq(late(text), 201);
	ck_assert_ptr_nonnull(strstr(text, "\"id\":78"));
	ck_assert_str_eq(told, renewals[_i].told);
	/* What was good once need not be today. */
	ck_assert_uint_eq(call_as(&boss, "POST", renewals[_i].path,
	    renewals[_i].json, text), 1);
	verbs_examined(&registrar, examined, bad);
	ck_assert_uint_eq(late(text), 422);
	ck_assert_ptr_nonnull(strstr(text, "too weak"));
	ck_assert_str_eq(told, "examine on record");
	err_set(&failure, ERR_REJECT, "it is on hold");
	ck_assert_uint_eq(call_as(&boss, "POST", renewals[_i].path,
	    renewals[_i].json, text), 409);
	ck_assert_uint_eq(late(text), 0);
}
END_TEST

/* A page of those alone is no last page either. */
START_TEST(who_renews_its_own_is_not_said_to_expire)
{
	char text[4096];
	struct err err = { 0 };

	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	for (uint8_t i = 10; i < 15; i++) {
		struct cert_row row = { .ca_id = ca_id, .state = CERT_ISSUED,
			.serial = { { i }, 1 }, .not_before = NOON,
			.not_after = NOON + DAY, .profile = "ocsp-responder",
			.names_text = "", .der = bytes_of("DER"),
			.reply_to = "" };

		ck_assert_int_eq(store_add_certificate(registrar.store, &row,
		    &err), 0);
	}
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	add_certificate(ca_id, 0x20);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	ck_assert_uint_eq(call_as(&boss, "GET", "certificates",
	    "{\"expiring\":90,\"after\":5,\"limit\":2}", text), 200);
	ck_assert_msg(strstr(text, "\"serial\":\"20\"") != NULL, "%s", text);
	ck_assert_ptr_null(strstr(text, "ocsp-responder"));
	ck_assert_uint_eq(call_as(&boss, "GET", "certificates", "{}", text),
	    200);
	ck_assert_ptr_nonnull(strstr(text, "ocsp-responder"));
}
END_TEST

START_TEST(what_is_over_is_said_to_be_expired)
{
	char text[4096];

	clock_set_test_offset(NOON + 90 * DAY + 1 - time(NULL));
	ck_assert_uint_eq(call_as(&boss, "GET", "certificates/01", "{}", text),
	    200);
	ck_assert_ptr_nonnull(strstr(text, "\"state\":\"expired\""));
	ck_assert_uint_eq(call_as(&boss, "GET", "certificates",
	    "{\"state\":\"issued\"}", text), 200);
	ck_assert_ptr_nonnull(strstr(text, "\"items\":[]"));
}
END_TEST

START_TEST(an_order_for_what_is_not_there_is_refused)
{
	char text[4096];

	ck_assert_uint_eq(call_as(&boss, "POST", "requests", "{\"ca\":\"no\","
	    "\"profile\":\"user\",\"csr\":\"x\"}", text), 422);
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", "{\"ca\":"
	    "\"users\",\"profile\":\"no\",\"csr\":\"x\"}", text), 422);
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", "{\"ca\":"
	    "\"users\",\"profile\":\"user\"}", text), 400);
	err_set(&failure, ERR_RETRY, "the parser is busy");
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 503);
	ck_assert_uint_eq(late(text), 0);
}
END_TEST

START_TEST(nobody_waits_for_ever)
{
	char text[4096];

	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 1);
	verbs_expire(&registrar, clock_now() + 10);
	ck_assert_uint_eq(late(text), 0);
	verbs_expire(&registrar, clock_now() + 60);
	ck_assert_uint_eq(late(text), 503);
	/* The parser is gone. */
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 1);
	verbs_examined(&registrar, examined, NULL);
	ck_assert_uint_eq(late(text), 503);
	/* The one who asked is gone. */
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 1);
	verbs_closed(5);
	verbs_examined(&registrar, examined, NULL);
	ck_assert_uint_eq(late(text), 0);
}
END_TEST

START_TEST(so_many_files_at_once_and_no_more)
{
	char text[4096];

	for (int i = 0; i < 32; i++)
		ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN,
		    text), 1);
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 503);
	verbs_closed(5);
	ck_assert_uint_eq(call_as(&boss, "POST", "requests", SIGN, text), 1);
	verbs_closed(5);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("verbs");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, each_verb_answers, 0, ROWS(calls));
	tcase_add_test(tc, a_code_that_confirms_is_shown_to_nobody);
	tcase_add_loop_test(tc, only_who_has_the_right_may, 0, ROWS(guarded));
	tcase_add_loop_test(tc, what_is_about_cas_is_for_csrmail_security, 0,
	    ROWS(about_cas));
	tcase_add_loop_test(tc, csrmail_security_alone_decides_about_cas, 0,
	    ROWS(for_security));
	tcase_add_loop_test(tc,
	    status_tells_that_a_carried_crl_lacks_a_revoked_ca, 0, 2);
	tcase_add_loop_test(tc, status_tells_in_time_that_something_ends, 0,
	    ROWS(ends));
	tcase_add_test(tc, a_failure_says_whose_it_is);
	tcase_add_loop_test(tc, a_file_is_examined_before_it_is_answered, 0,
	    ROWS(files));
	tcase_add_loop_test(tc,
	    a_request_on_record_is_examined_before_it_is_signed_anew, 0,
	    ROWS(renewals));
	tcase_add_test(tc, who_renews_its_own_is_not_said_to_expire);
	tcase_add_test(tc, what_is_over_is_said_to_be_expired);
	tcase_add_test(tc, an_order_for_what_is_not_there_is_refused);
	tcase_add_test(tc, nobody_waits_for_ever);
	tcase_add_test(tc, so_many_files_at_once_and_no_more);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
