#include "csrmaild/examine.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"
#include "csrmaild/dkim_check.h"
#include "csrmaild/dsn.h"
#include "csrmaild/message.h"
#include "csrmaild/prescan.h"
#include "csrmaild/smime.h"

#include <stdlib.h>

#define MAX_SIGNED	(EXAMINE_MAX_FINDINGS - (32u << 10))

/* Who signed it, and nothing else: what is covered is examined by another. */
static int
examine_signed(const struct wire_examine *m, struct buf *out, struct err *err)
{
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));
	OWNED_BUF(der, WIRE_MAX_SIGNER);
	OWNED_BUF(content, MAX_SIGNED);

	if (found == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	found->id = m->id;
	found->status = FINDINGS_OK;
	found->is_signed = true;
	if (smime_examine(m->octets, m->anchors, clock_now(),
	    &found->signature, &der, &content, err) == -1)
		return -1;
	found->content = buf_bytes(&content);
	put_findings(out, found);
	return out->failed ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

/* Whether a DKIM signature is good, and nothing else. */
static int
examine_dkim(const struct wire_examine *m, struct buf *out, struct err *err)
{
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));

	if (found == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	found->id = m->id;
	found->status = FINDINGS_OK;
	found->is_dkim = true;
	if (dkim_check(m->octets, m->dkim_keys, clock_now(), &found->dkim,
	    err) == -1)
		return -1;
	put_findings(out, found);
	return out->failed ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

int
examine(const struct wire_examine *m, struct buf *out, struct err *err)
{
	OWNED_STRUCT(message) *msg = NULL;
	struct prescan_limits limits = {
		.max_octets = WIRE_MAX_MESSAGE,
		.max_header_octets = m->max_header_octets,
		.max_parts = m->max_parts < WIRE_MAX_PARTS ? m->max_parts :
		    WIRE_MAX_PARTS,
		.max_depth = m->max_depth,
	};
	struct findings *found;
	int r;

	if (m->kind == EXAMINE_SIGNED)
		return examine_signed(m, out, err);
	if (m->kind == EXAMINE_DKIM)
		return examine_dkim(m, out, err);
	r = m->kind == EXAMINE_MAIL ?
	    message_examine(m->octets, &limits, &msg, err) :
	    message_examine_file(m->octets, &msg, err);
	if (r == -1)
		return -1;
	found = message_findings(msg);
	found->id = m->id;
	if (m->kind == EXAMINE_MAIL)
		dsn_read(m->octets, found->bounced_id,
		    sizeof(found->bounced_id), found->bounce,
		    sizeof(found->bounce));
	put_findings(out, found);
	if (out->failed) {
		struct findings much = { .id = m->id,
		    .status = FINDINGS_REFUSED,
		    .text = "the requests in this mail are too large "
			"together; send them in several mails" };

		buf_clear(out);
		put_findings(out, &much);
	}
	if (out->failed)
		return err_set(err, ERR_FAULT, "out of memory");
	return 0;
}
