#include "csrmaild/key_check.h"

#include "common/err.h"
#include "common/log.h"
#include "common/shared_prime.h"
#include "csrmaild/problem.h"
#include "csrmaild/registry.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define PAGE		10000	/* moduli taken in at one time: 0.2 s */
#define MAX_TROUBLE	20	/* sentences */

/* Made when it is first needed. */
static int
open_primes(struct registrar *r, struct err *err)
{
	return r->primes != NULL ? 0 : shared_prime_new(&r->primes, err);
}

void
key_check_close(struct registrar *r)
{
	shared_prime_free(r->primes);
	r->primes = NULL;
}

static int
take_in(const struct modulus_row *row, void *arg)
{
	struct registrar *r = arg;
	struct err err;

	if (shared_prime_add(r->primes, row->id, row->modulus, &err) == 0)
		return 0;
	log_error("modulus.not-held", NUM("modulus", row->id),
	    STR("owner", row->owner), STR("why", err.text));
	return 1;
}

void
key_check_catch_up(struct registrar *r)
{
	struct err err;

	if (open_primes(r, &err) == -1 || store_each_modulus(r->store,
	    shared_prime_last(r->primes), PAGE, take_in, r, &err) == -1)
		log_warn("modulus.not-read", STR("why", err.text),
		    STR("detail", err.detail));
}

/* --- shared primes -------------------------------------------------------- */

/* One that is not taken in yet: it came in this very transaction, or there
 * was no time yet. */
static int
compare(const struct modulus_row *row, void *arg)
{
	struct prime_question *q = arg;

	if (row->id == q->self ||
	    !shared_prime_between(row->modulus, q->modulus))
		return 0;
	q->found = row->id;
	return 1;
}

static int
keep_id(const struct modulus_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

static int
check_shared_prime(struct registrar *r, const struct candidate *c,
    struct key_check *out, struct err *err)
{
	struct prime_question q = { .modulus = c->modulus };

	if (c->key.kind != KEY_RSA)
		return 0;
	if (open_primes(r, err) == -1 || store_find_modulus(r->store,
	    c->key.spki_sha256, keep_id, &q.self, err) == -1 ||
	    shared_prime_find(r->primes, &q, 1, err) == -1)
		return -1;
	if (q.found == 0 && store_each_modulus(r->store,
	    shared_prime_last(r->primes), SHARED_PRIME_MAX_HELD, compare, &q,
	    err) == -1)
		return -1;
	if (q.found == 0)
		return 0;
	out->shared = true;
	out->other = q.found;
	snprintf(out->why, sizeof(out->why), "this key shares a prime with "
	    "another key, so that others can compute its private half: it "
	    "was made with too little randomness. Make a new key on a machine "
	    "with a good source of random numbers, and send a new request");
	return 0;
}

struct other {
	char	owner[129];
	char	spki[65];
	char	principal[321];		/* "": not a request of ours */
};

static int
note_other(const struct modulus_row *row, void *arg)
{
	struct other *other = arg;

	snprintf(other->owner, sizeof(other->owner), "%s", row->owner);
	hex_encode((struct bytes){ row->spki_sha256, 32 }, other->spki);
	return 0;
}

static int
note_principal(const struct request_row *row, void *arg)
{
	struct other *other = arg;

	snprintf(other->principal, sizeof(other->principal), "%s",
	    row->principal);
	return 0;
}

static int
find_other(struct registrar *r, int64_t id, struct other *out,
    struct err *err)
{
	long long request;

	*out = (struct other){ 0 };
	if (store_find_modulus_by_id(r->store, id, note_other, out, err) == -1)
		return -1;
	if (sscanf(out->owner, "request:%lld", &request) == 1 &&
	    store_find_request(r->store, request, note_principal, out,
	    err) == -1)
		return -1;
	return 0;
}

static int
record_shared_prime(struct registrar *r, int64_t id, int64_t other_id,
    const char *who, const char *object, struct err *err)
{
	char detail[700];
	struct other other;

	if (find_other(r, other_id, &other, err) == -1 ||
	    store_add_shared_prime(r->store, id, other_id, r->now, err) == -1)
		return -1;
	snprintf(detail, sizeof(detail), "shares a prime with the key %s of "
	    "%s%s%s, which is as weak: decide about its certificates",
	    other.spki, other.owner, other.principal[0] == '\0' ? "" : ", ",
	    other.principal);
	log_error("key.shared-prime", STR("object", object), STR("who", who),
	    STR("other", other.owner), STR("other_who", other.principal),
	    STR("other_key", other.spki));
	return store_audit(r->store, r->now, "key.shared-prime", who, object,
	    detail, err);
}

int
key_check_record(struct registrar *r, const struct candidate *c,
    const struct key_check *found, const char *who, const char *object,
    struct err *err)
{
	const struct modulus_row row = { .spki_sha256 = c->key.spki_sha256,
		.modulus = c->modulus, .owner = object };
	int64_t id = 0;
	int known;

	if (c->key.kind != KEY_RSA)
		return 0;
	known = store_add_modulus(r->store, &row, &id, err);
	if (known == 1)
		known = store_find_modulus(r->store, c->key.spki_sha256,
		    keep_id, &id, err);
	if (known == -1)
		return -1;
	return found->shared ? record_shared_prime(r, id, found->other, who,
	    object, err) : 0;
}

static int
tell_trouble(const struct modulus_row *row, void *trouble)
{
	char spki[65], sentence[512];

	hex_encode((struct bytes){ row->spki_sha256, 32 }, spki);
	snprintf(sentence, sizeof(sentence), "the certified key of %s shares "
	    "a prime with another one, so that others can compute its private "
	    "half: revoke it with csrmail key block %s --compromised",
	    row->owner, spki);
	json_array_append_new(trouble, json_text(sentence));
	return 0;
}

void
key_check_describe_trouble(struct registrar *r, json_t *trouble)
{
	struct err err;

	if (store_each_broken_key(r->store, MAX_TROUBLE, tell_trouble,
	    trouble, &err) == -1)
		json_array_append_new(trouble, json_text(err.text));
}

/* --- the other checks ---------------------------------------------------- */

static int
check_ours(struct registrar *r, const struct candidate *c,
    struct key_check *out, struct err *err)
{
	(void)err;
	if (authorities_have_key(&r->authorities, c->key.key_sha1))
		snprintf(out->why, sizeof(out->why), "this is the key of one "
		    "of our CAs: make a new key and send a new request");
	return 0;
}

static int
check_blocked(struct registrar *r, const struct candidate *c,
    struct key_check *out, struct err *err)
{
	static const char *const reasons[] = {
		[KEY_BLOCKED] = "this key is blocked",
		[KEY_COMPROMISED] = "this key is compromised, others may "
		    "have its private half",
		[KEY_WEAK] = "this key stands in a list of weak keys",
	};
	enum key_block_kind kind;
	int r_blocked = store_is_key_blocked(r->store, c->key.spki_sha256,
	    &kind, err);

	if (r_blocked == 0)
		snprintf(out->why, sizeof(out->why), "%s: make a new key and "
		    "send a new request", reasons[kind]);
	return r_blocked == -1 ? -1 : 0;
}

/* As openssl-blacklist has them: SHA-1 over "Modulus=HEX\n", its end. */
static int
check_weak(struct registrar *r, const struct candidate *c,
    struct key_check *out, struct err *err)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t digest[20];
	OWNED_BUF(text, 4096);
	int listed;

	if (c->key.kind != KEY_RSA)
		return 0;
	buf_append_str(&text, "Modulus=");
	for (size_t i = 0; i < c->modulus.len; i++) {
		buf_append(&text, &digits[c->modulus.data[i] >> 4], 1);
		buf_append(&text, &digits[c->modulus.data[i] & 15], 1);
	}
	buf_append_str(&text, "\n");
	if (text.failed || EVP_Digest(text.data, text.len, digest, NULL,
	    EVP_sha1(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a modulus");
	listed = store_is_modulus_weak(r->store, digest + sizeof(digest) -
	    WEAK_MODULUS_OCTETS, err);
	if (listed == 0)
		snprintf(out->why, sizeof(out->why), "this key stands in a "
		    "list of weak keys, whose private halves are known (Debian "
		    "made such keys from 2006 to 2008): make a new key with "
		    "up-to-date software and send a new request");
	return listed == -1 ? -1 : 0;
}

int
key_check(struct registrar *r, const struct candidate *c,
    struct key_check *out, struct err *err)
{
	static int (*const checks[])(struct registrar *,
	    const struct candidate *, struct key_check *, struct err *) = {
		check_ours, check_blocked, check_weak, check_shared_prime,
	};

	*out = (struct key_check){ 0 };
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i](r, c, out, err) == -1)
			return -1;
		if (out->why[0] != '\0')
			return 0;
	}
	return 0;
}
