#include "csrmaild/seal_files.h"

#include "common/err.h"
#include "common/frame.h"
#include "common/keystore.h"
#include "common/role.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/sealed.h"
#include "csrmaild/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The octets of all files of one mailbox. */
struct contents {
	struct buf	 files[SEAL_FILES];
};
#define OWNED_CONTENTS(name)						\
	__attribute__((cleanup(wipe))) struct contents name = { {	\
	    BUF(SEAL_FILE_MAX), BUF(SEAL_FILE_MAX),			\
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2) } }

static void
wipe(struct contents *c)
{
	for (int i = 0; i < SEAL_FILES; i++)
		buf_wipe(&c->files[i]);
}

const char *
seal_descriptor(enum seal_file file, unsigned int number,
    char out[SEAL_DESCRIPTOR_SIZE])
{
	snprintf(out, SEAL_DESCRIPTOR_SIZE, "%s:%u", seal_file_key(file),
	    number);
	return out;
}

int
seal_file_open(const struct mailbox_settings *m, enum seal_file file,
    struct err *err)
{
	const char *path = m->smime_files[file];
	int fd;

	if (file != SEAL_CERTIFICATE)
		return passphrase_open_file(path, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? err_set(err, ERR_FAULT, "%s: %s", path,
	    strerror(errno)) : fd;
}

/* One room for all of it, so that growing leaves no copies behind. */
static int
read_all(int fd, struct buf *out, struct err *err)
{
	uint8_t *to = buf_reserve(out, out->max);
	ssize_t n = 1;

	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	while (out->len < out->max && n != 0) {
		n = read(fd, to + out->len, out->max - out->len);
		if (n < 0 && errno != EINTR)
			return err_errno(err, ERR_FAULT, "reading it");
		out->len += n > 0 ? (size_t)n : 0;
	}
	return out->len < out->max ? 0 : err_set(err, ERR_FAULT,
	    "more than %zu octets", out->max - 1);
}

/* fd is taken; -1: there is none. */
static int
read_file(enum seal_file file, int fd, struct contents *c, struct err *err)
{
	OWNED_FD in = fd;

	if (in < 0)
		return err_set(err, ERR_FAULT, "it could not be opened; the log says why");
	return file == SEAL_PASSPHRASE ? passphrase_read(in,
	    &c->files[file], err) : read_all(in, &c->files[file], err);
}

static int
read_identity(const struct contents *c, const char *mailbox,
    struct seal_identity **out, enum seal_file *fault, struct err *err)
{
	struct bytes files[SEAL_FILES];

	for (int i = 0; i < SEAL_FILES; i++)
		files[i] = buf_bytes(&c->files[i]);
	return seal_identity_read(files, mailbox, out, fault, err);
}

/* --- the sealer -------------------------------------------------------------- */

int
seal_files_take(struct role *role, unsigned int number,
    const struct mailbox_settings *m, struct seal_identity **out,
    enum seal_file *fault, struct err *err)
{
	char name[SEAL_DESCRIPTOR_SIZE];
	OWNED_CONTENTS(c);

	for (int i = 0; i < SEAL_FILES; i++) {
		*fault = (enum seal_file)i;
		if (m->smime_files[i][0] != '\0' && read_file(*fault,
		    role_take(role, seal_descriptor(*fault, number, name)),
		    &c, err) == -1)
			return -1;
	}
	return read_identity(&c, m->address, out, fault, err);
}

/* --- main's check, in a child --------------------------------------------------- */

#define MAX_WORDS	1024	/* of the child's answer */

/* Three files in; which one is wrong, and why, out. Fine: an empty text. */
static int
look(int fd, void *mailbox)
{
	OWNED_STRUCT(seal_identity) *identity = NULL;
	enum seal_file fault = SEAL_CERTIFICATE;
	OWNED_BUF(answer, MAX_WORDS);
	struct err err, why = { 0 };
	OWNED_CONTENTS(c);

	for (int i = 0; i < SEAL_FILES; i++)
		if (sealed_receive(fd, &c.files[i], &err) == -1)
			return 1;
	if (read_identity(&c, mailbox, &identity, &fault, &why) == 0)
		why.text[0] = '\0';
	put_u8(&answer, (uint8_t)fault);
	put_str(&answer, why.text);
	return sealed_send(fd, buf_bytes(&answer), &err) == 0 ? 0 : 1;
}

/* What it says of the files. */
static int
ask(const struct sealed *child, const struct contents *c,
    enum seal_file *fault, struct err *err)
{
	OWNED_BUF(answer, MAX_WORDS);
	struct cursor at;
	char text[256];

	for (int i = 0; i < SEAL_FILES; i++)
		if (sealed_send(child->fd, buf_bytes(&c->files[i]),
		    err) == -1)
			return -1;
	if (sealed_receive(child->fd, &answer, err) == -1)
		return -1;
	at = CURSOR(buf_bytes(&answer));
	*fault = (enum seal_file)get_enum(&at, 0, SEAL_FILES - 1);
	get_str(&at, text, sizeof(text));
	if (!cursor_end(&at))
		return err_set(err, ERR_FAULT, "it cannot be read");
	return text[0] == '\0' ? 0 : err_set(err, ERR_FAULT, "%s", text);
}

static int
open_and_read(const struct mailbox_settings *m, struct contents *c,
    enum seal_file *fault, struct err *err)
{
	for (int i = 0; i < SEAL_FILES; i++) {
		int fd;

		*fault = (enum seal_file)i;
		if (m->smime_files[i][0] == '\0')
			continue;
		fd = seal_file_open(m, *fault, err);
		if (fd < 0 || read_file(*fault, fd, c, err) == -1)
			return -1;
	}
	return 0;
}

static int
check_mailbox(const struct mailbox_settings *m, enum seal_file *fault,
    struct err *err)
{
	struct sealed child = SEALED_NONE;
	OWNED_CONTENTS(c);
	int r;

	/* It is there before a secret is. */
	*fault = SEAL_CERTIFICATE;
	if (sealed_start(look, m->address, 0, &child, err) == -1)
		return -1;
	r = open_and_read(m, &c, fault, err);
	if (r == 0)
		r = ask(&child, &c, fault, err);
	sealed_end(&child);
	return r;
}

int
seal_files_check(const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mailboxes; i++) {
		const struct mailbox_settings *m = &s->mailboxes[i];
		enum seal_file fault;
		struct err why;

		if (settings_signs(m) && check_mailbox(m, &fault, &why) == -1)
			return settings_refuse(s, m->title,
			    seal_file_key(fault), why.text, err);
	}
	return 0;
}
