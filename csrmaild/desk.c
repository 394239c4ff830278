#include "csrmaild/desk_private.h"

#include "common/ca.h"
#include "common/clock.h"
#include "common/keystore.h"
#include "csrmaild/issuance.h"
#include "csrmaild/parser.h"
#include "csrmaild/publish.h"
#include "csrmaild/renewal.h"
#include "csrmaild/verbs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONNECTION	1	/* ours, the only one */
#define PATIENCE_MS	10000	/* for a frame, or a CRL to begin */

/* --- keys ---------------------------------------------------------------- */
static int
open_with_passphrase(struct desk *d, struct signer_ca *ca, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	struct err why;
	int r;

	/* Asked for as the caller: the file may be readable to root only. */
	if (desk_become_self(d, err) < 0)
		return -1;
	r = d->passphrase(d->arg, ca->name, &passphrase, err);
	if (desk_become_signer(d, &why) < 0) {
		*err = why;
		return -1;
	}
	if (r == 0)
		return signer_open_ca(&d->signer, ca, buf_bytes(&passphrase),
		    err);
	/* Without one, a key that is not encrypted opens all the same; and in
	 * any case the journal does, which is to know of revocations. */
	return signer_open_ca(&d->signer, ca, (struct bytes){ 0 }, &why);
}

static int
open_key(struct desk *d, struct authority *a, struct err *err)
{
	struct signer_ca *ca = signer_ca_by_name(&d->signer, a->name);
	int r;

	if (a->key_open)
		return 0;
	if (ca == NULL || a->settings == NULL)
		return err_set(err, ERR_REJECT, "the CA %s does not sign here",
		    a->name);
	if (desk_become_signer(d, err) < 0)
		return -1;
	r = open_with_passphrase(d, ca, err);
	if (r == 0)
		a->key_open = true;
	return desk_become_registrar(d, err) < 0 ? -1 : r;
}

static int
keep_ca(const struct request_row *row, void *arg)
{
	snprintf(arg, CA_NAME_MAX + 1, "%s", row->ca);
	return 0;
}

/* The CA that a path names; of the octets of its name client_path encodes the
 * slash alone (csrmaild/ctl/client.c). */
static bool
ca_of_path(const char *path, const char *prefix, char *out)
{
	size_t n = 0;

	if (strncmp(path, prefix, strlen(prefix)) != 0)
		return false;
	for (path += strlen(prefix); *path != '/' && *path != '\0' &&
	    n < CA_NAME_MAX; path++) {
		bool slash = strncmp(path, "%2F", 3) == 0;

		out[n++] = slash ? '/' : *path;
		path += slash ? 2 : 0;
	}
	out[n] = '\0';
	return n > 0;
}

static int
keep_issuer(const struct cert_row *row, void *arg)
{
	ca_family(row->ca, arg, CA_NAME_MAX + 1);
	return 0;
}

/* certificates/SERIAL/renew or reissue: the serial. */
static bool
is_renewal(const struct wire_call *call, struct serial *serial)
{
	static const char prefix[] = "certificates/";
	const char *part = call->path + strlen(prefix);
	const char *verb = strrchr(call->path, '/');
	char hex[SERIAL_HEX_SIZE + 2];		/* 0x */
	struct err ignored;

	if (strcmp(call->method, "POST") != 0 ||
	    strncmp(call->path, prefix, strlen(prefix)) != 0 ||
	    (strcmp(verb, "/renew") != 0 && strcmp(verb, "/reissue") != 0) ||
	    verb < part || (size_t)(verb - part) >= sizeof(hex))
		return false;
	snprintf(hex, sizeof(hex), "%.*s", (int)(verb - part), part);
	return serial_from_hex(hex, serial, &ignored) == 0;
}

/* What has to be signed after this call, if it can be told before: then a
 * key that does not open leaves nothing on record. "" when it cannot. */
static int
find_signer_of(struct desk *d, const struct wire_call *call, char *out,
    struct err *err)
{
	const char *ca;
	struct serial serial;
	json_t *args;
	long long id = 0;

	out[0] = '\0';
	if (strcmp(call->method, "POST") != 0)
		return 0;
	if (sscanf(call->path, "requests/%lld/approve", &id) == 1)
		return store_find_request(d->registrar->store, id, keep_ca,
		    out, err) < 0 ? -1 : 0;
	if (is_renewal(call, &serial))
		return store_find_certificate(d->registrar->store, 0,
		    &serial, keep_issuer, out, err) < 0 ? -1 : 0;
	if (strcmp(call->path, "requests") != 0)
		return 0;
	args = json_loadb((const char *)call->json.data, call->json.len, 0,
	    NULL);
	ca = json_string_value(json_object_get(args, "ca"));
	snprintf(out, CA_NAME_MAX + 1, "%s", ca == NULL ? "" : ca);
	json_decref(args);
	return 0;
}

/* For lists, of which each key of a CA has its own: at least one is open then,
 * and what another leaves undone is told at the end (open_wanted). */
static int
open_one_meant(struct desk *d, const char *name, struct err *err)
{
	struct authorities *all = &d->registrar->authorities;
	bool tried = false;

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].settings != NULL &&
		    all->rows[i].not_after > d->registrar->now &&
		    ca_is_meant(name, all->rows[i].name)) {
			if (open_key(d, &all->rows[i], err) == 0)
				return 0;
			tried = true;
		}
	return tried ? -1 : 0;
}

static int
open_key_of_call(struct desk *d, const struct wire_call *call,
    struct err *err)
{
	char name[CA_NAME_MAX + 1];
	struct authority *a;

	if (ca_of_path(call->path, "crls/", name))
		return strcmp(call->method, "POST") == 0 &&
		    strstr(call->path, "/update") != NULL ?
		    open_one_meant(d, name, err) : 0;
	if (find_signer_of(d, call, name, err) < 0)
		return -1;
	/* One key of a CA ("users~2"), or the one that signs now. */
	a = name[0] == '\0' ? NULL : authority_meant(
	    &d->registrar->authorities, name, d->registrar->now);
	return a == NULL ? 0 : open_key(d, a, err);
}

/* --- between registrar and signer ---------------------------------------- */
static void
keep_refusal(struct desk *d, const struct wire_refused *m)
{
	d->refused.kind = (enum err_kind)m->kind;
	snprintf(d->refused.text, sizeof(d->refused.text), "%s", m->text);
	d->refused.detail[0] = '\0';
}

static int
take_result(struct desk *d, const struct frame *frame, struct err *err)
{
	struct registrar *r = d->registrar;
	struct wire_issued issued;
	struct wire_refused refused;
	int result;

	if (frame->type == WIRE_ISSUED ?
	    wire_get_issued(frame, &issued, err) < 0 :
	    wire_get_refused(frame, &refused, err) < 0)
		return -1;
	if (frame->type == WIRE_REFUSED)
		keep_refusal(d, &refused);
	if (frame->type == WIRE_REFUSED && refused.serial.len == 0) {
		publish_take_refused(r, &refused);
		return 0;
	}
	if (store_begin(r->store, err) < 0)
		return -1;
	result = frame->type == WIRE_ISSUED ?
	    issuance_take_issued(r, &issued, err) :
	    issuance_take_refused(r, &refused, err);
	if (result == 0)
		result = store_commit(r->store, err);
	if (result < 0)
		store_rollback(r->store);
	return result;
}

static int
from_signer(struct desk *d, const struct frame *frame, struct err *err)
{
	struct wire_crl_done done;

	switch (frame->type) {
	case WIRE_ISSUED:
	case WIRE_REFUSED:
		return take_result(d, frame, err);
	case WIRE_CRL_DONE:
		if (wire_get_crl_done(frame, &done, err) < 0)
			return -1;
		publish_take_done(d->registrar, &done);
		return 0;
	case WIRE_KEYS:
		return 0;	/* we open them ourselves */
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

static int
drain_signer(struct desk *d, struct err *err)
{
	struct channel *ch = d->registrar->signer;
	struct frame frame;
	int more;

	if (channel_read(ch, err) < 0)
		return -1;
	while ((more = channel_next(ch, &frame, err)) == 1)
		if (from_signer(d, &frame, err) < 0)
			return -1;
	return more;
}

/* Carry frames to and fro until neither has anything to say. */
static int
run_signer(struct desk *d, struct err *err)
{
	struct channel *here = d->registrar->signer, *there = d->signer_end;

	for (;;) {
		struct pollfd p[] = {
			{ channel_fd(here), channel_events(here), 0 },
			{ channel_fd(there), channel_events(there), 0 },
		};
		int n = poll(p, 2, 0);

		if (n < 0 && errno != EINTR)
			return err_errno(err, ERR_FAULT, "poll");
		if (n == 0)
			return 0;
		if (((p[0].revents & POLLOUT) != 0 &&
		    channel_flush(here, err) < 0) ||
		    ((p[1].revents & POLLOUT) != 0 &&
		    channel_flush(there, err) < 0) ||
		    ((p[1].revents & POLLIN) != 0 &&
		    signer_desk_serve(d->signer_desk, err) < 0) ||
		    ((p[0].revents & POLLIN) != 0 && drain_signer(d, err) < 0))
			return -1;
	}
}

/* --- what follows from a call -------------------------------------------- */
/* Lists of one CA, as many as its verb asked for. */
static int
make_crls(struct desk *d, struct authority *a, struct err *err)
{
	static const struct timespec step = { .tv_nsec = 100000000L };
	struct registrar *r = d->registrar;
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	uint64_t number = a->crl_number;

	a->crl_not_before = 0;
	while (a->crl_wanted || r->crl_in_hand != NULL) {
		r->now = clock_now();
		publish_pump(r);
		if (run_signer(d, err) < 0)
			return -1;
		if (r->crl_in_hand != NULL || a->crl_number != number) {
			number = a->crl_number;
			until_ms = clock_monotonic_ms() + PATIENCE_MS;
			continue;
		}
		/* It failed, and a daemon would try again later; or one came
		 * out just now, and the next may not share its second. */
		if (a->crl_not_before > r->now ||
		    clock_monotonic_ms() > until_ms)
			break;
		if (a->crl_wanted)
			nanosleep(&step, NULL);
	}
	if (a->crl_wanted)
		return err_set(err, ERR_RETRY, "the CRL of %s was not made: "
		    "%.180s", a->name, d->refused.kind == 0 ?
		    "the log says why" : d->refused.text);
	a->crl_not_before = DESK_NEVER;
	return 0;
}

/* The key of every CA whose list is to be made anew; and its journal, before
 * the signer hears of what was revoked. */
static int
open_wanted(struct desk *d, struct err *err)
{
	struct authorities *all = &d->registrar->authorities;
	int result = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct authority *a = &all->rows[i];
		struct err why = { 0 };

		if (!a->crl_wanted || a->settings == NULL ||
		    open_key(d, a, &why) == 0)
			continue;
		a->crl_wanted = false;
		result = err_set(err, why.kind, "it is on record, but there "
		    "is no new CRL of %s yet (csrmail crl update): %.140s",
		    a->name, why.text);
	}
	return result;
}

static bool
was_there(const struct pending_order *before, size_t n,
    const struct pending_order *order)
{
	for (size_t i = 0; i < n; i++)
		if (before[i].ca == order->ca &&
		    serial_equal(&before[i].serial, &order->serial))
			return true;
	return false;
}

/* Orders that this call has brought, for a key that is not open yet. */
static int
open_for_orders(struct desk *d, const struct pending_order *before, size_t n,
    bool *again, struct err *err)
{
	struct registrar *r = d->registrar;

	for (size_t i = 0; i < r->n_orders; i++) {
		struct pending_order *order = &r->orders[i];
		struct authority *a = authority_by_id(&r->authorities,
		    order->ca);

		if (a == NULL || a->key_open || was_there(before, n, order))
			continue;
		if (open_key(d, a, err) < 0)
			return -1;
		order->not_before = 0;
		*again = true;
	}
	return 0;
}

static int
sign_all(struct desk *d, const struct pending_order *before, size_t n,
    struct err *err)
{
	bool again = false;

	issuance_pump(d->registrar);
	if (run_signer(d, err) < 0 ||
	    open_for_orders(d, before, n, &again, err) < 0)
		return -1;
	if (!again)
		return 0;
	issuance_pump(d->registrar);
	return run_signer(d, err);
}

static int
follow(struct desk *d, const struct pending_order *before, size_t n,
    struct err *err)
{
	struct registrar *r = d->registrar;
	int result;

	r->now = clock_now();
	r->now_ms = clock_monotonic_ms();
	result = open_wanted(d, err);
	if (sign_all(d, before, n, err) < 0)
		return -1;
	/* What is replaced by that is revoked. */
	renewal_pump(r);
	if (open_wanted(d, err) < 0)
		result = -1;
	if (run_signer(d, err) < 0)
		return -1;
	for (size_t i = 0; i < r->authorities.n; i++)
		if (r->authorities.rows[i].crl_wanted &&
		    r->authorities.rows[i].settings != NULL &&
		    make_crls(d, &r->authorities.rows[i], err) < 0)
			result = -1;
	return result;
}

/* --- a call -------------------------------------------------------------- */
/* A file to be read: by a child, and with no key open before that. */
static int
examine(struct desk *d, const struct wire_call *call, struct err *err)
{
	struct registrar *r = d->registrar;
	OWNED_STRUCT(findings) *found = NULL;
	OWNED_BUF(answer, WIRE_MAX_FINDINGS);
	struct wire_examine m;
	struct frame frame;
	struct cursor c;

	if (channel_await(d->parser_end, PATIENCE_MS, &frame, err) < 0 ||
	    wire_get_examine(&frame, &m, err) < 0 ||
	    parser_examine(&m, &answer, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&answer));
	get_findings(&c, &found);
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "broken findings");
	if (open_key_of_call(d, call, err) < 0) {
		verbs_closed(CONNECTION);
		return -1;
	}
	verbs_examined(r, found->id, found);
	return 0;
}

/* The answer of a verb that had to wait. */
static int
take_answer(struct desk *d, uint16_t *status, struct buf *answer,
    struct err *err)
{
	struct wire_result result;
	struct frame frame;

	if (channel_await(d->api_end, PATIENCE_MS, &frame, err) < 0 ||
	    wire_get_result(&frame, &result, err) < 0)
		return -1;
	*status = result.status;
	buf_clear(answer);
	return buf_append_bytes(answer, result.json) == 0 ? 0 :
	    err_set(err, ERR_FAULT, "out of memory");
}

static int
serve(struct desk *d, const struct wire_call *call, uint16_t *status,
    struct buf *answer, struct err *err)
{
	struct serial serial;
	bool reads_a_request = (strcmp(call->method, "POST") == 0 &&
	    strcmp(call->path, "requests") == 0) || is_renewal(call, &serial);
	struct pending_order before[REGISTRAR_MAX_ORDERS];
	size_t n = d->registrar->n_orders;

	memcpy(before, d->registrar->orders, sizeof(before));
	d->refused = (struct err){ 0 };
	renewal_expire(d->registrar);
	if (!reads_a_request && open_key_of_call(d, call, err) < 0)
		return -1;
	if (verbs_call(d->registrar, &d->who, call, status, answer) == 1 &&
	    (examine(d, call, err) < 0 ||
	    take_answer(d, status, answer, err) < 0))
		return -1;
	return *status < 300 && call->method[0] == 'P' ?
	    follow(d, before, n, err) : 0;
}

int
desk_call(struct desk *d, const char *method, const char *path,
    struct bytes args, uint16_t *status, struct buf *answer, struct err *err)
{
	struct wire_call call = { .connection = CONNECTION,
		.call = ++d->calls, .json = args };

	if (strlen(path) >= sizeof(call.path))
		return err_set(err, ERR_REJECT, "the path is too long");
	snprintf(call.method, sizeof(call.method), "%s", method);
	snprintf(call.path, sizeof(call.path), "%s", path);
	if (desk_become_registrar(d, err) < 0)
		return -1;
	d->registrar->now = clock_now();
	return desk_come_back(d, serve(d, &call, status, answer, err), err);
}
