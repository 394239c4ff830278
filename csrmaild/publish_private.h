#ifndef CSRMAILD_PUBLISH_PRIVATE_H
#define CSRMAILD_PUBLISH_PRIVATE_H

#include "csrmaild/publish.h"
#include "csrmaild/registry.h"

#include <sys/types.h>

/*
 * The CRL in hand. publish_scope.c knows which lists a CA has and what was
 * published of them before, publish.c when one is due and who is told,
 * publish_entries.c what stands on it, publish_file.c how it gets into the
 * folder.
 */
enum publish_stage {
	PUBLISH_ENTRIES = 1,	/* entries are sent to the signer */
	PUBLISH_SIGNING,	/* the signer has all of it */
	PUBLISH_WRITING,	/* the same as PEM; then both are published */
};

struct publication {
	struct authority *ca;
	struct crl_scope *scope;
	struct crl_terms terms;
	uint64_t	 change;
	enum publish_stage stage;
	char		 failed[200];	/* why it is worthless; "" */

	struct store	*snapshot;	/* owned: the store at `change` */
	struct crl_page	 page;		/* the next one */
	bool		 releases;	/* holds that were lifted, after the
					 * entries of a delta */
	uint64_t	 n_entries;

	int		 der_fd, pem_fd;	/* owned; -1 */
	off_t		 encoded;	/* octets of the DER that are in the
					 * PEM */
};

/* --- publish_scope.c --- */
bool	publish_has_deltas(const struct authority *);

/* --- publish_entries.c --- */
/* Takes the snapshot and sets the first page. */
int	publication_open(struct registrar *, struct publication *,
	    struct err *);
/* Some pages more; 1 when that was the last. */
int	publication_send(struct registrar *, struct publication *,
	    struct err *);

/* --- publish_install.c --- */
/* A sentence on the list of a CA that signs elsewhere, when it ends soon. */
void	publication_describe_installed(const struct registrar *,
	    const struct authority *, json_t *trouble);

/* --- publish_file.c --- */
/* Is the file the CRL of these terms? A published file bears its thisUpdate
 * as time of modification, so that this need not read it: a crash between
 * reservation and rename leaves an older one. */
bool	publication_is_there(const struct registrar *, const char *ca,
	    const struct crl_terms *);
/* Both files, empty, under temporary names. der_fd is for whoever makes the
 * list, at its beginning. */
int	publication_create_files(struct registrar *, struct publication *,
	    struct err *);
/* With the DER whole: a slice more of the PEM; 1 when both stand under their
 * names. */
int	publication_write(struct registrar *, struct publication *,
	    struct err *);
/* What is half done stays under its temporary name, to be written over. */
void	publication_close_files(struct publication *);

#endif
