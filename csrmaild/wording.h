#ifndef CSRMAILD_WORDING_H
#define CSRMAILD_WORDING_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stddef.h>

struct err;

/*
 * The words of our mails: texts with places for values, in several languages.
 * English and German are built in (conf/templates); a file LANGUAGE/TEXT.txt
 * in templates_dir replaces one, or adds a language.
 *
 * In a text "{name}" stands for a value. Alone in a line, but for white space
 * before it, it is filled into lines of 72 columns with that indent; a list
 * gives a paragraph for each element. "{?name}" at the beginning of a line
 * leaves the line out when the value is empty. "{{" is a brace. There is
 * nothing else: no loop, no file, no command. Values are strangers' words, cut
 * and made harmless (csrmaild/reply_text.h) where they are put in.
 */
enum wording {
	WORDING_ISSUED,		/* one request, as are the next two */
	WORDING_HELD,
	WORDING_REJECTED,
	WORDING_INSTALL,	/* what to do with a certificate */
	WORDING_NOTHING,	/* no request, or the mail was refused */
	WORDING_REVOKED,
	WORDING_ON_HOLD,
	WORDING_GOOD_AGAIN,
	WORDING_CHALLENGE,
	WORDING_UNCONFIRMED,	/* an answer to that without CONFIRM */
	WORDING_REVOCATION_DONE,	/* one that a mail asked for, as are
					 * the next two */
	WORDING_REVOCATION_HELD,
	WORDING_REVOCATION_REJECTED,
	WORDING_REVOCATION_HOW,	/* what to do instead */
	WORDING_STATUS,
	WORDING_FOOTER,
	N_WORDINGS
};
#define WORDING_MAX_OCTETS	16384	/* one text */
#define WORDING_MAX_LANGUAGES	16
#define WORDING_LANGUAGE_MAX	15

struct wordings;
/* Those that are built in. */
int	wordings_new(struct wordings **, struct err *);
void	wordings_free(struct wordings *);
OWNED_STRUCT_BY(wordings, wordings_free)
/*
 * "de/issued" and its text: UTF-8 without control characters but line ends and
 * tabs. ERR_FAULT, "PATH:LINE: what", for another name, a place that this text
 * does not have, a brace that is not closed.
 */
int	wordings_add(struct wordings *, const char *name, const char *path,
	    struct bytes text, struct err *);
/* A language that is there: the one wished ("de-at" or "de" for "de"), else
 * `otherwise`, else "en". Never NULL. */
const char *wordings_language(const struct wordings *, const char *wished,
	    const char *otherwise);

struct wording_value {
	const char	*name;		/* NULL ends the list */
	const char	*value;		/* NULL is "" */
	size_t		 max;		/* characters */
	const char	*const *list;	/* instead of value, n elements */
	size_t		 n;
};
/* wordings NULL: those that are built in. A text that the language lacks is
 * said in English. Lines end in CRLF. */
void	wording_put(const struct wordings *, const char *language,
	    enum wording, const struct wording_value *, struct buf *out);

#endif
