#include "ocspd/exchange.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/files.h"
#include "ocspd/forwarded.h"
#include "ocspd/rates.h"
#include "ocspd/reply.h"

#include <openssl/evp.h>

#include <string.h>
#include <unistd.h>

#define ANSWER_WAIT_MS	2000	/* for the responder */

static struct reply
reply_to(struct service *s, const struct http_request *req)
{
	return (struct reply){ .out = &s->out, .counters = s->counters,
		.status = &s->status, .now = s->now,
		.keep_alive = req->keep_alive, .old = req->old,
		.head = req->method == HTTP_HEAD };
}

/* --- the access log ------------------------------------ */

static void
begin_access(struct connection *c, const struct service *s,
    enum http_method method)
{
	if (s->settings->access_log_every == 0)
		return;
	c->access = (struct access){ .client = c->client, .method = method,
		.kind = "-", .began_us = clock_monotonic_us() };
}

/* One in so many. out_before: octets of answers before this one. */
static void
tell_access(struct connection *c, struct service *s, size_t out_before)
{
	if (s->settings->access_log_every == 0 ||
	    ++s->since_logged < s->settings->access_log_every)
		return;
	s->since_logged = 0;
	c->access.status = s->status;
	c->access.octets = s->out.len - out_before + c->file_left;
	access_tell(&c->access, clock_monotonic_us());
}

/* --- the responder ------------------------------------ */

static void
start_waiting(struct connection *c, struct service *s)
{
	c->waiting = true;
	counters_set(s->counters, COUNT_WAITING, ++s->waiting);
}

void
exchange_stop_waiting(struct connection *c, struct service *s)
{
	if (!c->waiting)
		return;
	c->waiting = false;
	counters_set(s->counters, COUNT_WAITING, --s->waiting);
}

static void
ask_responder(struct connection *c, struct service *s,
    const struct http_request *req, uint64_t id)
{
	struct wire_ask ask = { .id = id, .request = &s->request };
	struct reply r = reply_to(s, req);
	struct err err;

	/* Early, rather than late to everybody. */
	if (s->waiting >= s->settings->max_waiting) {
		counters_add(s->counters, COUNT_REFUSED_WAITING, 1);
		limit_met(&s->limit_log, LIMIT_WAITING, &c->access.client,
		    s->now_ms);
		reply_status(&r, 503);
		return;
	}
	if (s->responder == NULL ||
	    wire_queue_ask(s->responder, &ask, &err) == -1) {
		reply_ocsp_error(&r, OCSP_TRY_LATER);
		return;
	}
	start_waiting(c, s);
	c->asked_head = r.head;
	c->asked_old = r.old;
	c->asked_keep = r.keep_alive;
	c->deadline_ms = s->now_ms + ANSWER_WAIT_MS;
}

/* --- OCSP ------------------------------------ */

static void
answer_ocsp(struct connection *c, struct service *s,
    const struct http_request *req, struct bytes der, uint64_t id)
{
	const struct admission admission = { s->settings, s->requestors,
		s->counters };
	struct request *q = &s->request;
	struct reply r = reply_to(s, req);
	struct held_answer held;
	enum ocsp_status status;

	c->access.kind = "ocsp";
	status = request_read(der, s->settings->max_cert_ids, q);
	if (status != OCSP_SUCCESSFUL && q->too_many)
		limit_met(&s->limit_log, LIMIT_CERT_IDS, &c->access.client,
		    s->now_ms);
	if (status == OCSP_SUCCESSFUL)
		status = admission_check(&admission, der, q, s->now);
	if (status != OCSP_SUCCESSFUL) {
		log_debug("request.refused", NUM("status", status),
		    STR("why", q->why));
		reply_ocsp_error(&r, status);
		return;
	}
	/* RFC 9654, 2.1: 16 to 32 octets; of others we may think. */
	if (q->has_nonce && !s->settings->odd_nonce_echoed &&
	    (q->nonce_len < 16 || q->nonce_len > 32)) {
		q->has_nonce = false;
		q->nonce_len = 0;
	}
	if (s->table == NULL || !answers_alive(s->table, s->now_ms)) {
		reply_ocsp_error(&r, OCSP_TRY_LATER);
		return;
	}
	if (q->n_ids == 1 && !q->has_nonce && answers_find(s->table,
	    q->ids[0].der, q->ids[0].serial, admission_signature(
	    &admission, q), s->now, &held, s->held)) {
		const struct reply_facts facts = { held.this_update,
			held.next_update, held.digest,
			s->settings->max_age_s };

		counters_add(s->counters, COUNT_OCSP_HELD, 1);
		reply_signed(&r, &facts, (struct bytes){ s->held, held.len },
		    req);
		return;
	}
	ask_responder(c, s, req, id);
}

static bool
is_ocsp_type(struct bytes type)
{
	const uint8_t *end;

	if (type.len == 0)
		return true;	/* tolerated: the path decides nothing else */
	end = memchr(type.data, ';', type.len);
	if (end != NULL)
		type.len = (size_t)(end - type.data);
	while (type.len > 0 && type.data[type.len - 1] == ' ')
		type.len--;
	return bytes_equal_nocase(type, "application/ocsp-request");
}

/* --- files ------------------------------------ */

/* False: the path names none of ours. */
static bool
answer_file(struct connection *c, struct service *s,
    const struct http_request *req)
{
	struct reply r = reply_to(s, req);
	struct published file;
	struct file_part part;

	switch (files_open(s->published_fd, req->path, &file)) {
	case 0:
		break;
	case 1:
		return false;
	default:	/* it may be there, but cannot be opened now */
		reply_status(&r, 503);
		return true;
	}
	c->access.kind = file.kind;
	counters_add(s->counters, COUNT_FILES, 1);
	if (reply_file(&r, &file, req, &part)) {
		c->file_fd = file.fd;
		c->file_at = (int64_t)part.at;
		c->file_left = part.octets;
	} else {
		close(file.fd);
	}
	return true;
}

static void
answer_get(struct connection *c, struct service *s,
    const struct http_request *req, uint64_t id)
{
	struct reply r = reply_to(s, req);

	if (answer_file(c, s, req))
		return;
	switch (request_from_path(req->path, &s->der)) {
	case 1:
		answer_ocsp(c, s, req, buf_bytes(&s->der), id);
		break;
	case 0:
		reply_status(&r, 404);
		break;
	default:
		reply_ocsp_error(&r, OCSP_MALFORMED_REQUEST);
	}
	buf_clear(&s->der);
	s->der.failed = false;
}

/* --- all ------------------------------------ */

/* Who asks, for rates and the log: behind a proxy that says so in a field, each
 * request has a client of its own. False: the field is broken. */
static bool
find_client(const struct connection *c, const struct service *s,
    const struct http_request *req, struct client *out)
{
	const struct settings *settings = s->settings;

	*out = c->client;
	if (!c->trusted)
		return true;
	switch (settings->proxies_say) {
	case PROXIES_SAY_HEADER:
		break;
	case PROXIES_SAY_FORWARDED:
		return forwarded_read(req->forwarded, settings->proxies,
		    settings->n_proxies, out) != FORWARDED_BROKEN;
	case PROXIES_SAY_X_FORWARDED_FOR:
		return forwarded_read_x(req->x_forwarded_for,
		    settings->proxies, settings->n_proxies, out) !=
		    FORWARDED_BROKEN;
	}
	return true;
}

static bool
is_within_rate(const struct connection *c, struct service *s,
    const struct client *client)
{
	uint16_t bucket;

	if (s->rates == NULL || client->kind == CLIENT_LOCAL)
		return true;
	bucket = client_equal(client, &c->client) ? c->bucket :
	    client_bucket(client, s->client_seed);
	if (rates_take(s->rates, bucket, s->now_ms))
		return true;
	limit_met(&s->limit_log, LIMIT_CLIENT_REQUESTS, client, s->now_ms);
	return false;
}

void
exchange_answer(struct connection *c, struct service *s,
    struct http_request *req, uint64_t id)
{
	size_t out_before = s->out.len;
	struct client client;
	struct reply r;
	bool known;

	counters_add(s->counters, req->method == HTTP_POST ? COUNT_POST :
	    req->method == HTTP_HEAD ? COUNT_HEAD : COUNT_GET, 1);
	req->keep_alive &= !s->stopping;
	if (!req->keep_alive)
		c->ended = true;
	c->served = true;
	s->answered++;
	r = reply_to(s, req);
	begin_access(c, s, req->method);
	known = find_client(c, s, req, &client);
	c->access.client = client;
	if (!known)
		reply_status(&r, 400);
	else if (!is_within_rate(c, s, &client))
		reply_status(&r, 429);
	else if (req->method != HTTP_POST)
		answer_get(c, s, req, id);
	else if (is_ocsp_type(req->content_type))
		answer_ocsp(c, s, req, req->body, id);
	else
		reply_status(&r, 415);
	if (!c->waiting)
		tell_access(c, s, out_before);
}

void
exchange_refuse(struct connection *c, struct service *s, unsigned int status)
{
	struct reply r = { .out = &s->out, .counters = s->counters,
		.status = &s->status, .now = s->now };
	size_t out_before = s->out.len;

	if (status == 413 || status == 414 || status == 431)
		limit_met(&s->limit_log, LIMIT_REQUEST_OCTETS, &c->client,
		    s->now_ms);
	begin_access(c, s, HTTP_OTHER);
	reply_status(&r, status);
	c->ended = true;
	tell_access(c, s, out_before);
}

/* Signed for this client, or for all: then it has its validators too. */
static void
reply_answer(const struct reply *r, const struct wire_answer *a,
    const struct service *s)
{
	uint8_t digest[32];
	const struct reply_facts facts = { a->this_update, a->next_update,
		digest, s->settings->max_age_s };

	if (a->status == OCSP_SUCCESSFUL)
		counters_add(s->counters, COUNT_OCSP_SIGNED, 1);
	if (a->status != OCSP_SUCCESSFUL)
		reply_ocsp_error(r, a->status);
	else if (a->cacheable && EVP_Digest(a->der.data, a->der.len, digest,
	    NULL, EVP_sha256(), NULL) == 1)
		reply_signed(r, &facts, a->der, NULL);
	else
		reply_private(r, a->der);
}

void
exchange_conclude(struct connection *c, struct service *s,
    const struct wire_answer *a)
{
	struct reply r = { .out = &s->out, .counters = s->counters,
		.status = &s->status, .now = s->now, .keep_alive = c->asked_keep,
		.old = c->asked_old, .head = c->asked_head };
	size_t out_before = s->out.len;

	exchange_stop_waiting(c, s);
	reply_answer(&r, a, s);
	tell_access(c, s, out_before);
}
