#include "csrmaild/evidence.h"

#include "common/der.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "csrmaild/smime.h"
#include "csrmaild/wire.h"

#include <stdio.h>
#include <string.h>

/* Older signatures are not believed: whoever has seen the mail can send it
 * again. As long as servers keep trying to deliver (RFC 5321, 4.5.4.1). */
#define SIGNATURE_AGE_S		(5 * 86400)
#define CLOCK_SLACK_S		3600

void
evidence_describe(uint8_t evidence, char *out, size_t size)
{
	static const struct {
		enum evidence	 bit;
		const char	*name;
	} names[] = {
		{ EVIDENCE_AUTH, "auth" }, { EVIDENCE_DKIM, "dkim" },
		{ EVIDENCE_SMIME, "smime" }, { EVIDENCE_REPLY, "reply" },
		{ EVIDENCE_FILE, "file" },
	};

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((evidence & names[i].bit) != 0)
			snprintf(out + strlen(out), size - strlen(out), "%s%s",
			    out[0] == '\0' ? "" : ",", names[i].name);
}

/* Ours, as it stands on record. */
struct search {
	const struct signature *signature;
	int64_t		 id;		/* 0: not found */
	enum cert_state	 state;
	int64_t		 not_before, not_after;
	bool		 has_key;
	uint8_t		 spki_sha256[32];
	bool		 disguised;	/* ours, in octets that are not */
};

/*
 * A chain does not tell a certificate of ours from a copy of it. What stands
 * around the part that is signed can be written anew by anybody (an ECDSA
 * signature has two forms), and of some that came from elsewhere we know
 * nothing but the serial.
 */
static bool
is_disguised(const struct cert_row *row, struct bytes der)
{
	struct bytes left = row->der, content, to_be_signed;
	uint8_t tag;

	if (row->der.len == 0)
		return row->state != CERT_ISSUED;
	return der_take(&left, DER_SEQUENCE, &content) &&
	    der_next(&content, &tag, &left, &to_be_signed) &&
	    bytes_find(der, to_be_signed) != (size_t)-1;
}

static int
look(const struct cert_row *row, void *arg)
{
	struct search *search = arg;

	if (!bytes_equal(row->der, search->signature->der)) {
		search->disguised |= is_disguised(row,
		    search->signature->der);
		return 0;
	}
	search->id = row->id;
	search->state = row->state;
	search->not_before = row->not_before;
	search->not_after = row->not_after;
	search->has_key = row->spki_sha256 != NULL;
	if (search->has_key)
		memcpy(search->spki_sha256, row->spki_sha256, 32);
	return 0;
}

/* Why it proves nothing, or NULL. */
static const char *
doubt_of_signature(const struct registrar *r, const struct signature *s)
{
	if (!s->good)
		return s->text;
	if (s->signed_at == 0)
		return "the signature does not say when it was made";
	if (s->signed_at < r->now - SIGNATURE_AGE_S)
		return "the signature is older than five days; sign and send "
		    "it anew";
	if (s->signed_at > r->now + CLOCK_SLACK_S)
		return "the signature was made in the future: a clock is "
		    "wrong";
	return NULL;
}

/* Why it does not vouch for the sender, or NULL. */
static const char *
doubt_of_sender(const struct registrar *r, const struct wire_submit *m,
    const struct search *found)
{
	const struct signature *s = &m->signature;

	if (!s->for_mail)
		return "the certificate of the signature is not for signing "
		    "mail";
	if (!signature_bears(s, m->envelope.from))
		return "the certificate of the signature is for another "
		    "mailbox than the sender's";
	if (found->id == 0 && found->disguised)
		return "the certificate of the signature is one of ours, but "
		    "not as we have issued it";
	if (found->id == 0)
		return s->anchored ? NULL : "the certificate of the signature "
		    "is neither ours nor from a CA that is trusted here";
	if (found->state != CERT_ISSUED)
		return "the certificate of the signature is not in force any "
		    "more";
	if (r->now < found->not_before || r->now > found->not_after)
		return "the certificate of the signature is not valid now";
	return NULL;
}

int
evidence_weigh(struct registrar *r, const struct wire_submit *m,
    struct vouching *out, struct err *err)
{
	struct search found = { .signature = &m->signature };
	const char *doubt;

	*out = (struct vouching){ .evidence = m->envelope.evidence };
	/* Not the front's to give. */
	out->evidence &= (uint8_t)(EVIDENCE_AUTH | EVIDENCE_DKIM);
	if (m->channel == CHANNEL_FILE)
		out->evidence |= EVIDENCE_FILE;
	if (!m->is_signed)
		return 0;
	doubt = doubt_of_signature(r, &m->signature);
	out->sound = doubt == NULL;
	if (out->sound && m->signature.serial.len > 0 &&
	    store_find_certificate(r->store, 0, &m->signature.serial, look,
	    &found, err) == -1)
		return -1;
	out->certificate = found.id;
	out->has_key = found.has_key;
	memcpy(out->spki_sha256, found.spki_sha256, sizeof(found.spki_sha256));
	if (out->sound)
		doubt = doubt_of_sender(r, m, &found);
	if (doubt != NULL) {
		snprintf(out->doubt, sizeof(out->doubt), "%s", doubt);
		return 0;
	}
	out->evidence |= EVIDENCE_SMIME;
	out->signer = found.id;
	return 0;
}
