#include "csrmaild/acts_revoke_private.h"

#include "csrmaild/name_pattern.h"
#include "csrmaild/registry.h"

#include <stdint.h>

/* The next rows of the filter, from batch->last on; empty at the end. */
static int
gather(struct batch *batch, const struct cert_filter *filter,
    enum cert_state state, struct err *err)
{
	struct cert_filter own = *filter;
	char literal[256];

	own.state = state;
	own.limit = ACTS_BATCH;
	if (batch->match != NULL) {
		name_pattern_literal(batch->match, literal,
		    sizeof(literal));
		if (literal[0] != '\0')
			own.like = literal;
	}
	batch->n = 0;
	do {
		own.after = batch->last;
		batch->n_seen = 0;
		if (store_each_certificate(batch->registrar->store, &own,
		    acts_batch_add, batch, err) == -1)
			return -1;
	} while (batch->n == 0 && batch->n_seen == ACTS_BATCH);
	return 0;
}

int
acts_revoke_filtered(struct registrar *r, const struct cert_filter *filter,
    const char *match, bool cas_too, const struct revoking *how,
    unsigned int *n, struct err *err)
{
	static const enum cert_state states[] = { CERT_ISSUED, CERT_REVOKED };

	for (size_t i = 0; i < 2; i++) {
		__attribute__((cleanup(acts_batch_free))) struct batch batch = {
			.registrar = r, .match = match, .cas_too = cas_too,
			.reason = how->reason };

		for (;;) {
			int64_t last;

			batch.cas_too = cas_too;
			if (gather(&batch, filter, states[i], err) == -1)
				return -1;
			if (batch.n == 0)
				break;
			last = batch.last;
			if (acts_revoke_batch(r, &batch, how, n, err) == -1)
				return -1;
			batch.last = last;
		}
	}
	return 0;
}

int
registrar_revoke_all(struct registrar *r, const struct cert_filter *filter,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    unsigned int *n, struct err *err)
{
	const struct revoking how = { .reason = reason,
		.invalidity = invalidity, .who = who, .now = now };

	*n = 0;
	return acts_revoke_filtered(r, filter, NULL, filter->spki_sha256 != NULL,
	    &how, n, err);
}

struct matching {
	struct batch	*batch;
	unsigned int	 n, limit;
	int		(*fn)(const struct cert_row *, void *);
	void		*arg;
};

static int
note_matching(const struct cert_row *row, void *arg)
{
	struct matching *m = arg;

	if (!acts_batch_wants(m->batch, row))
		return 0;
	if (m->n == m->limit)
		return 1;
	m->n++;
	return m->fn == NULL ? 0 : m->fn(row, m->arg);
}

static int
each_matching(struct registrar *r, const struct cert_filter *filter,
    const char *match, enum crl_reason reason, struct matching *m,
    struct err *err)
{
	static const enum cert_state states[] = { CERT_ISSUED, CERT_REVOKED };
	struct batch batch = { .registrar = r, .match = match,
		.reason = reason, .cas_too = filter->spki_sha256 != NULL };
	struct cert_filter own = *filter;
	char literal[256];
	int result = 0;

	m->batch = &batch;
	if (match != NULL) {
		name_pattern_literal(match, literal, sizeof(literal));
		if (literal[0] != '\0')
			own.like = literal;
	}
	own.limit = INT32_MAX;
	own.after = 0;
	for (size_t i = 0; i < 2 && result == 0; i++) {
		own.state = states[i];
		result = store_each_certificate(r->store, &own, note_matching,
		    m, err);
	}
	m->batch = NULL;
	return result;
}

int
registrar_each_matching(struct registrar *r, const struct cert_filter *filter,
    const char *match, unsigned int limit,
    int (*fn)(const struct cert_row *, void *), void *arg, struct err *err)
{
	struct matching m = { .limit = limit, .fn = fn, .arg = arg };

	return each_matching(r, filter, match, CRL_UNSPECIFIED, &m, err);
}

int
registrar_revoke_matching(struct registrar *r,
    const struct cert_filter *filter, const char *match,
    unsigned int expected, enum crl_reason reason, time_t invalidity,
    const char *who, time_t now, unsigned int *n, struct err *err)
{
	const struct revoking how = { .reason = reason,
		.invalidity = invalidity, .who = who, .now = now };
	struct matching m = { .limit = ACTS_MAX_BATCH };

	*n = 0;
	if (each_matching(r, filter, match, CRL_UNSPECIFIED, &m, err) == -1)
		return -1;
	if (m.n != expected)
		return err_set(err, ERR_REJECT, "%u certificates match, not "
		    "%u: look again", m.n, expected);
	return acts_revoke_filtered(r, filter, match, filter->spki_sha256 != NULL,
	    &how, n, err);
}
