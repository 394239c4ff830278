#include "csrmaild/signer.h"
#include "common/err.h"
#include "csrmaild/journal.h"

/* CAs that are revoked. The signer knows it from its own journals, so that a
 * registrar that keeps silent about it gets nothing signed. */

static bool
is_certificate_of(const struct signer_ca *ca, const struct signer_ca *issuer,
    const struct serial *serial)
{
	struct serial own;
	struct err ignored;

	return ca != issuer && ca->cert != NULL && issuer->cert != NULL &&
	    serial_from_asn1(X509_get0_serialNumber(ca->cert), &own,
	    &ignored) == 0 && serial_equal(&own, serial) &&
	    X509_check_issued(issuer->cert, ca->cert) == X509_V_OK;
}

static void
mark_below(struct signer *s, const struct signer_ca *above)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		struct signer_ca *ca = &s->cas[i];

		if (ca == above || ca->revoked || ca->cert == NULL ||
		    X509_check_issued(above->cert, ca->cert) != X509_V_OK)
			continue;
		ca->revoked = true;
		mark_below(s, ca);
	}
}

void
signer_note_revoked(struct signer *s, const struct signer_ca *issuer,
    const struct crl_entry *entry)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		struct signer_ca *ca = &s->cas[i];

		if (!is_certificate_of(ca, issuer, &entry->serial))
			continue;
		/* What is below stays so until the next start. */
		ca->revoked = entry->reason != CRL_REMOVE_FROM_CRL;
		if (ca->revoked)
			mark_below(s, ca);
	}
}

struct recalling {
	struct signer	*signer;
	const struct signer_ca *issuer;
};

static int
recall_one(const struct journal_issued *issued,
    const struct crl_entry *revoked, const struct crl_terms *crl,
    const struct journal_blocked *blocked, void *arg)
{
	struct recalling *to = arg;

	(void)issued, (void)crl, (void)blocked;
	if (revoked != NULL)
		signer_note_revoked(to->signer, to->issuer, revoked);
	return 0;
}

static bool
has_child(const struct signer *s, const struct signer_ca *issuer)
{
	for (size_t i = 0; i < s->n_cas; i++)
		if (&s->cas[i] != issuer && s->cas[i].cert != NULL &&
		    X509_check_issued(issuer->cert,
		    s->cas[i].cert) == X509_V_OK)
			return true;
	return false;
}

int
signer_recall_revoked(struct signer *s, struct err *err)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		struct recalling to = { s, &s->cas[i] };

		/* Long journals are those of CAs without CAs below. */
		if (s->cas[i].journal == NULL || s->cas[i].cert == NULL ||
		    !has_child(s, &s->cas[i]))
			continue;
		if (journal_each(s->cas[i].journal, recall_one, &to, err) < 0)
			return -1;
	}
	return 0;
}
