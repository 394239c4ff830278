#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include "common/bytes.h"
#include "common/owned.h"

#include <confuse.h>

struct err;

/*
 * Configuration files, by libconfuse, with the errors that it passes over:
 * a file that ends inside a section, an option or section given twice, a
 * number with a leading zero (it would be octal), and "${NAME}" (roles have
 * no environment, so the same file would mean different things).
 *
 * Reads octets, never files. Errors name file and line:
 *	"/etc/csrmail/csrmaild.conf:12: port: found 70000, allowed 1 to 65535"
 */
OWNED_BY(cfg_t, cfg_free)

/* path is for messages. opts as for cfg_init; sections that may repeat carry
 * CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES. *out is owned. */
int	config_parse(const char *path, struct bytes text, cfg_opt_t *opts,
	    cfg_t **out, struct err *);
/*
 * After config_parse: refuse the value of key in section. Fills err
 * (ERR_FAULT) with file, line and key, and returns -1.
 */
int	config_fail(cfg_t *section, const char *key, struct err *,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The usual refusals. */
int	config_check_range(cfg_t *section, const char *key, long lo, long hi,
	    struct err *);
int	config_check_given(cfg_t *section, const char *key, struct err *);
/* One of the words, which end with NULL; *which is its place. */
int	config_check_word(cfg_t *section, const char *key,
	    const char *const *words, size_t *which, struct err *);

/*
 * Read a configuration file that only its administrator can have written:
 * a symbolic link, group- or world-writable files, and those of users other than
 * root and ourselves are refused. At most max octets. out gets the octets;
 * nothing is parsed.
 */
int	config_read_file(const char *path, size_t max, struct buf *out,
	    struct err *);

#endif
