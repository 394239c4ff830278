#include "csrmaild/signer.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/journal.h"

/* Keys that were reported. Each journal has them all, so that a CA that moves
 * takes them along; and all of them are asked, so that it does not matter
 * whose certificate it was. */

void
signer_note_blocked(struct signer *s, const struct journal_blocked *key)
{
	struct err why;

	for (size_t i = 0; i < s->n_cas; i++)
		if (s->cas[i].journal != NULL && journal_append_blocked(
		    s->cas[i].journal, key, &why) < 0)
			log_error("signer.blocked-key-not-in-journal",
			    STR("ca", s->cas[i].name), STR("why", why.text),
			    STR("detail", why.detail));
}

int
signer_check_blocked(struct signer *s, const uint8_t spki_sha256[32],
    struct err *err)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		int r = s->cas[i].journal == NULL ? 1 : journal_is_blocked(
		    s->cas[i].journal, spki_sha256, err);

		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(err, ERR_REJECT, "the key in the "
			    "request is blocked: it was reported, or others "
			    "may have it. Make a new key and send a new "
			    "request");
	}
	return 0;
}
