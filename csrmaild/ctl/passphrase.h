#ifndef CSRMAILD_CTL_PASSPHRASE_H
#define CSRMAILD_CTL_PASSPHRASE_H

#include "common/bytes.h"

#include <stdbool.h>

struct ctl;
struct err;

/*
 * The passphrase (or a token's PIN) of a CA's key, for a ceremony. Looked for
 * in this order, and the first that is there counts:
 *
 *	the file that --OPTION names ("-": standard input)
 *	the systemd credential csrmail.FILE, FILE as ca_file_name of the family
 *	the environment: CSRMAIL_PASSPHRASE_ and the family's name in capitals
 *	passphrase_file of the CA in the configuration, when one was read
 *	the terminal, without echo; twice: asked again, and both must agree
 *
 * option: without "--", or NULL when the command has none. Never an argument
 * of the command line itself. An empty file is an empty passphrase: a key that
 * is not encrypted. EX_USAGE when there is none of these.
 *
 * out: a ceiling of KEYSTORE_PASSPHRASE_MAX + 2 or more; buf_wipe it.
 */
int	passphrase_obtain(struct ctl *, const char *ca, const char *option,
	    bool twice, struct buf *out, struct err *);
/* Single ones of these: the file; the terminal, with that prompt; and for a
 * new passphrase the terminal twice. */
int	passphrase_from_file(struct ctl *, const char *path, struct buf *out,
	    struct err *);
int	passphrase_ask(struct ctl *, const char *prompt, struct buf *out,
	    struct err *);
int	passphrase_ask_new(struct ctl *, const char *ca, struct buf *out,
	    struct err *);

#endif
