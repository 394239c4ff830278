#ifndef CSRMAILD_HINT_H
#define CSRMAILD_HINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * What to do about a mail without a request in it, by what was found instead.
 *
 * The parser names hints by number, as a set, and whoever writes the answer
 * puts the words in: no text of a parser that was taken over is mailed as
 * ours. The numbers travel (docs/wire.md): new ones go to the end.
 */
enum hint {
	HINT_HTML,
	HINT_TNEF,
	HINT_ARCHIVE,
	HINT_SAVED_MAIL,
	HINT_DOCUMENT,
	HINT_PARTIAL,
	HINT_EXTERNAL,
	HINT_ENCRYPTED,
	HINT_OPAQUE,
	HINT_CMC,
	HINT_CERTIFICATE,
	HINT_PUBLIC_KEY,
	HINT_KEY_STORE,
	HINT_SPKAC,
	HINT_UUENCODE,
	HINT_MARKERS,
	HINT_REVOKE,
	HINT_END,		/* none of them */
};

#define HINT_BIT(hint)	((uint32_t)1 << (hint))
#define HINT_ALL	(HINT_BIT(HINT_END) - 1)

/* One or two sentences for the sender, for those below HINT_END; in English
 * (also for NULL) where we have none in that language. */
const char *hint_text(enum hint, const char *language);

#endif
