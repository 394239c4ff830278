#include "csrmaild/status_mail.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "csrmaild/smime.h"
#include "csrmaild/validity.h"

#include <stdio.h>
#include <string.h>

struct gathering {
	struct registrar *registrar;
	const char	*ca;		/* the mailbox's */
	const char	*principal, *from;
	struct status_lines *out;
	struct err	*err;
};

/* The line that is being written. */
static char *
line(const struct gathering *g)
{
	return g->out->texts[g->out->n];
}

static void
end_line(struct gathering *g)
{
	g->out->lines[g->out->n] = line(g);
	g->out->n++;
}

/* --- a certificate ------------------------------------------------------- */

/* "serial 4f.., valid until 2027-01-31", or what became of it. */
static int
describe(const struct cert_row *row, void *arg)
{
	const struct gathering *g = arg;
	char hex[SERIAL_HEX_SIZE], day[VALIDITY_DAY_SIZE];
	size_t n = strlen(line(g));

	serial_to_hex(&row->serial, hex);
	if (row->state == CERT_REVOKED)
		snprintf(line(g) + n, STATUS_LINE_SIZE - n,
		    "; serial %s, revoked on %s (%s)", hex,
		    validity_day(row->revoked_at, day),
		    crl_reason_name(row->reason));
	else
		snprintf(line(g) + n, STATUS_LINE_SIZE - n,
		    "; serial %s, valid until %s", hex,
		    validity_day(row->not_after, day));
	return 0;
}

/* Is it the sender's, as it was ordered? */
static bool
bears_sender(struct bytes frozen, const char *from)
{
	struct order order;
	struct err ignored;
	bool bears = false;

	if (frozen.len == 0 || order_decode(frozen, &order, &ignored) == -1)
		return false;
	for (size_t i = 0; i < order.names.n_sans; i++)
		bears |= order.names.sans[i].kind == SAN_EMAIL &&
		    smime_same_mailbox(order.names.sans[i].text, from);
	order_free_contents(&order);
	return bears;
}

struct asker {
	const char	*principal;
	bool		 same;
};

static int
compare_asker(const struct request_row *row, void *arg)
{
	struct asker *asker = arg;

	asker->same = strcmp(row->principal, asker->principal) == 0;
	return 0;
}

static int
add_certificate(const struct cert_row *row, void *arg)
{
	struct gathering *g = arg;
	struct asker asker = { .principal = g->principal };

	if (!ca_is_of_family(row->ca, g->ca) || row->state == CERT_RESERVED ||
	    row->state == CERT_ABANDONED || g->out->n == STATUS_MAX_LINES)
		return 0;
	if (row->request != 0 && store_find_request(g->registrar->store,
	    row->request, compare_asker, &asker, g->err) == -1)
		return -1;
	if (!asker.same && !bears_sender(row->order, g->from))
		return 0;
	snprintf(line(g), STATUS_LINE_SIZE, "%.200s", row->names_text);
	describe(row, g);
	end_line(g);
	return 0;
}

/* --- a request ----------------------------------------------------------- */

static int
add_request(const struct request_row *row, void *arg)
{
	struct gathering *g = arg;
	struct serial serial = row->serial;
	char day[VALIDITY_DAY_SIZE];

	if (g->out->n == STATUS_MAX_LINES ||
	    strcmp(row->principal, g->principal) != 0)
		return 0;
	snprintf(line(g), STATUS_LINE_SIZE, "%s, request %lld: %s; %.200s",
	    validity_day(row->received_at, day), (long long)row->id,
	    request_state_name(row->state), row->names_text);
	if (serial.len > 0 && store_find_certificate(g->registrar->store,
	    row->issuer, &serial, describe, g, g->err) == -1)
		return -1;
	end_line(g);
	return 0;
}

int
status_mail_gather(struct registrar *r, const struct mailbox_settings *mailbox,
    const struct wire_submit *m, const char *principal,
    struct status_lines *out, struct err *err)
{
	struct gathering g = { .registrar = r, .ca = mailbox->ca,
		.principal = principal, .from = m->envelope.from, .out = out,
		.err = err };
	int result = 0;

	out->n = 0;
	for (size_t i = 0; i < m->findings->n_wishes && result != -1; i++) {
		const struct wish *wish = &m->findings->wishes[i];

		if (wish->kind != WISH_STATUS)
			continue;
		if (wish->request != 0)
			result = store_find_request(r->store,
			    (int64_t)wish->request, add_request, &g, err);
		else if (wish->serial.len > 0)
			result = store_find_certificate(r->store, 0,
			    &wish->serial, add_certificate, &g, err);
		else
			result = store_each_request_of(r->store, principal,
			    STATUS_MAX_LINES, add_request, &g, err);
	}
	return result == -1 ? -1 : 0;
}
