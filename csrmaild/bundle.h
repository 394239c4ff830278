#ifndef CSRMAILD_BUNDLE_H
#define CSRMAILD_BUNDLE_H

#include "common/bytes.h"
#include "common/frame.h"
#include "common/profile.h"

#include <limits.h>

struct err;

/*
 * The configuration and its policies as octets, every file as it was read,
 * one after the other. main makes one; the roles get it in a sealed
 * descriptor and open no configuration of their own. Knows nothing of what
 * the files say (csrmaild/settings.h does).
 */
#define BUNDLE_MAX_OCTETS	(4u << 20)
#define BUNDLE_MAX_FILE_OCTETS	(64u << 10)
#define BUNDLE_MAX_FILES	64	/* of one kind */

enum bundle_kind {
	BUNDLE_CONF = 1,
	BUNDLE_PROFILE,
	BUNDLE_RULES,
	BUNDLE_SECRETS,		/* digests, not the file: csrmaild/secrets.h */
	BUNDLE_ANCHORS,		/* certificates in PEM */
	BUNDLE_WORDING,		/* LANGUAGE/TEXT, of templates_dir */
};

struct bundle_file {
	enum bundle_kind kind;
	char		 name[PROFILE_NAME_MAX + 1];	/* without ".conf" */
	char		 path[PATH_MAX];	/* for messages */
	struct bytes	 text;		/* borrows from the bundle */
};

/* Refuses what config_read_file refuses: links, files others can write. */
int	bundle_add_file(struct buf *, enum bundle_kind, const char *name,
	    const char *path, struct err *);
/* The same from memory; path is for messages, or what the octets stand for. */
int	bundle_add_text(struct buf *, enum bundle_kind, const char *name,
	    const char *path, struct bytes text, struct err *);
/* Every DIR/SUB/NAME.conf, by name. */
int	bundle_add_folder(struct buf *, enum bundle_kind, const char *dir,
	    const char *sub, struct err *);
/* Every DIR/LANGUAGE/TEXT.txt, as "LANGUAGE/TEXT". */
int	bundle_add_templates(struct buf *, const char *dir, struct err *);
/* The next file; the cursor's end is the bundle's. */
int	bundle_next(struct cursor *, struct bundle_file *, struct err *);

/* A sealed memfd; the caller's. */
int	bundle_to_fd(struct bytes, struct err *);
/* fd is taken. */
int	bundle_from_fd(int fd, struct buf *out, struct err *);

#endif
