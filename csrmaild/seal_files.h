#ifndef CSRMAILD_SEAL_FILES_H
#define CSRMAILD_SEAL_FILES_H

#include "csrmaild/seal_identity.h"

struct err;
struct mailbox_settings;
struct role;
struct settings;

/*
 * The files of csrmaild/seal_identity.h, on their way from main, which opens
 * them, to the role that uses them.
 */

/* What that file of the mailbox with that number (in the settings' order) is
 * called between main and sealer: a title would be too long. */
#define SEAL_DESCRIPTOR_SIZE	64
const char *seal_descriptor(enum seal_file, unsigned int number,
	    char out[SEAL_DESCRIPTOR_SIZE]);

/* main's side. A descriptor, the caller's, or -1: a key or a passphrase must
 * be as passphrase_open_file wants it, a certificate is no secret. */
int	seal_file_open(const struct mailbox_settings *, enum seal_file,
	    struct err *);

/* sealer's side. As seal_identity_read, of the descriptors that it was given. */
int	seal_files_take(struct role *, unsigned int number,
	    const struct mailbox_settings *, struct seal_identity **out,
	    enum seal_file *fault, struct err *);

/*
 * main's check before it believes a configuration: every mailbox that signs
 * has what it takes. main does not look into the files; a child does that
 * which has no other descriptor, file or network and ends at once
 * (csrmaild/sealed.h). err->text names file, line and key.
 *
 * That a certificate has expired is no fault of the configuration: it would
 * keep csrmaild from starting.
 */
int	seal_files_check(const struct settings *, struct err *);

#endif
