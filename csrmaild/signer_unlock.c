#include "csrmaild/signer_unlock.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/signer.h"
#include "csrmaild/unlock.h"

#include <openssl/crypto.h>

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct visitor {
	int		 fd;		/* owned; -1: the place is free */
	int64_t		 until_ms;
	struct principal who;
	bool		 complete;	/* the request is whole: it waits */
	size_t		 have;
	uint8_t		 in[UNLOCK_MAX_REQUEST];
};

struct unlock_desk {
	struct signer	*signer;
	int		 listen_fd;	/* owned */
	struct right_groups groups;
	int64_t		 next_ms;	/* no passphrase is tried before */
	struct visitor	*visitors;	/* owned, in the secure heap */
};

int
unlock_desk_new(struct signer *signer, int listen_fd,
    const struct right_groups *groups, struct unlock_desk **out,
    struct err *err)
{
	struct unlock_desk *d = calloc(1, sizeof(*d));

	if (d != NULL)
		d->visitors = OPENSSL_secure_zalloc(
		    UNLOCK_MAX_VISITORS * sizeof(*d->visitors));
	if (d == NULL || d->visitors == NULL) {
		free(d);
		if (listen_fd >= 0)
			close(listen_fd);
		return err_set(err, ERR_RETRY,
		    "out of memory for passphrases");
	}
	d->signer = signer;
	d->listen_fd = listen_fd;
	d->groups = *groups;
	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++)
		d->visitors[i].fd = -1;
	*out = d;
	return 0;
}

static void
leave(struct visitor *v)
{
	if (v->fd >= 0)
		close(v->fd);
	OPENSSL_cleanse(v, sizeof(*v));
	v->fd = -1;
}

void
unlock_desk_free(struct unlock_desk *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++)
		leave(&d->visitors[i]);
	OPENSSL_secure_clear_free(d->visitors,
	    UNLOCK_MAX_VISITORS * sizeof(*d->visitors));
	if (d->listen_fd >= 0)
		close(d->listen_fd);
	free(d);
}

/* A few hundred octets: the kernel takes them, or the visitor is gone. */
static void
answer(struct visitor *v, const struct unlock_answer *a)
{
	OWNED_BUF(out, UNLOCK_MAX_ANSWER);
	struct err err;

	if (unlock_put_answer(a, &out, &err) == 0)
		(void)!send(v->fd, out.data, out.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	leave(v);
}

static void
refuse(struct visitor *v, const struct err *why)
{
	struct unlock_answer a = { .kind = why->kind };

	snprintf(a.text, sizeof(a.text), "%s", why->text);
	answer(v, &a);
}

/* --- keys ------------------------------------------------------------------- */
/* By the name of a CA all of its generations; by that of a later one, just
 * that. */
static bool
is_meant(const struct signer_ca *ca, const char *name)
{
	return strcmp(ca->name, name) == 0 || ca_is_of_family(ca->name, name);
}

static int
open_or_close(struct unlock_desk *d, struct signer_ca *ca,
    const struct unlock_request *request, struct err *err)
{
	if (request->verb == UNLOCK_OPEN)
		return signer_open_ca(d->signer, ca, request->passphrase, err);
	return signer_close_ca(ca, "locked by hand: `csrmail ca unlock` opens "
	    "it", err);
}

/* *n: the keys that are as they were wanted, also those that were before. */
static int
perform(struct unlock_desk *d, const struct visitor *v,
    const struct unlock_request *request, size_t *n, struct err *err)
{
	char who[PRINCIPAL_TEXT_SIZE];

	principal_describe(&v->who, who, sizeof(who));
	*n = 0;
	for (size_t i = 0; i < d->signer->n_cas; i++) {
		struct signer_ca *ca = &d->signer->cas[i];
		bool was_open = ca->key != NULL;

		if (!is_meant(ca, request->ca))
			continue;
		++*n;
		if (was_open == (request->verb == UNLOCK_OPEN))
			continue;
		if (open_or_close(d, ca, request, err) < 0) {
			log_warn("key.refused", STR("ca", ca->name),
			    STR("who", who), STR("why", err->text));
			return -1;
		}
		snprintf(ca->who, sizeof(ca->who), "%s", who);
		log_info(was_open ? "key.closed" : "key.opened",
		    STR("ca", ca->name), STR("who", who));
	}
	return *n > 0 ? 0 : err_set(err, ERR_REJECT,
	    "the signer has no CA %s", request->ca);
}

static void
carry_out(struct unlock_desk *d, struct visitor *v)
{
	struct unlock_answer a = { .done = true };
	struct unlock_request request;
	struct err err;
	size_t n;

	if (unlock_get_request((struct bytes){ v->in, v->have }, &request,
	    &err) != 0 || perform(d, v, &request, &n, &err) < 0) {
		refuse(v, &err);
		return;
	}
	snprintf(a.text, sizeof(a.text), "%zu key%s %s", n,
	    n == 1 ? " is" : "s are",
	    request.verb == UNLOCK_OPEN ? "open" : "locked");
	answer(v, &a);
}

/* --- visitors ------------------------------------------------------------------ */
static void
let_in(struct unlock_desk *d, int64_t now_ms)
{
	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		struct visitor *v = &d->visitors[i];
		struct err err;

		if (v->fd >= 0)
			continue;
		v->fd = accept4(d->listen_fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (v->fd < 0)
			return;
		v->until_ms = now_ms + UNLOCK_DEADLINE_MS;
		if (principal_of_socket(v->fd, &d->groups, &v->who,
		    &err) < 0) {
			leave(v);
		} else if ((v->who.rights & RIGHT_SECURITY) == 0) {
			log_warn("key.refused", STR("who", v->who.name),
			    STR("why", "not in csrmail-security"));
			err_set(&err, ERR_REJECT, "keys are opened and locked "
			    "by root and the group csrmail-security");
			refuse(v, &err);
		}
	}
}

static void
listen_to(struct visitor *v)
{
	struct unlock_request request;
	struct err err;
	ssize_t n;

	n = recv(v->fd, v->in + v->have, sizeof(v->in) - v->have,
	    MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(v);
		return;
	}
	v->have += (size_t)n;
	switch (unlock_get_request((struct bytes){ v->in, v->have }, &request,
	    &err)) {
	case 0:
		v->complete = true;
		break;
	case -1:
		refuse(v, &err);
		break;
	}
}

static struct visitor *
next_in_line(struct unlock_desk *d)
{
	struct visitor *first = NULL;

	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		struct visitor *v = &d->visitors[i];

		if (v->fd >= 0 && v->complete &&
		    (first == NULL || v->until_ms < first->until_ms))
			first = v;
	}
	return first;
}

int
unlock_desk_prepare(const struct unlock_desk *d, struct pollfd *fds,
    int64_t now_ms)
{
	bool room = false;
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		const struct visitor *v = &d->visitors[i];
		bool listening = v->fd >= 0 && !v->complete;

		fds[i] = (struct pollfd){ listening ? v->fd : -1, POLLIN, 0 };
		room = room || v->fd < 0;
		if (v->fd >= 0 && v->until_ms < due)
			due = v->until_ms;
		if (v->fd >= 0 && v->complete && d->next_ms < due)
			due = d->next_ms;
	}
	/* Who finds no place waits at the door. */
	fds[UNLOCK_MAX_VISITORS] = (struct pollfd){
		room ? d->listen_fd : -1, POLLIN, 0 };
	if (due == INT64_MAX)
		return -1;
	return due <= now_ms ? 0 : (int)(due - now_ms);
}

void
unlock_desk_serve(struct unlock_desk *d, const struct pollfd *fds,
    int64_t now_ms)
{
	struct visitor *v;

	for (size_t i = 0; i < UNLOCK_MAX_VISITORS; i++) {
		v = &d->visitors[i];
		if (v->fd >= 0 && fds[i].fd == v->fd && fds[i].revents != 0)
			listen_to(v);
		if (v->fd >= 0 && v->until_ms <= now_ms)
			leave(v);
	}
	if (fds[UNLOCK_MAX_VISITORS].revents != 0)
		let_in(d, now_ms);
	v = next_in_line(d);
	if (v != NULL && d->next_ms <= now_ms) {
		d->next_ms = now_ms + UNLOCK_PAUSE_MS;
		carry_out(d, v);
	}
}
