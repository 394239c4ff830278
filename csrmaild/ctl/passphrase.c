#include "csrmaild/ctl/passphrase.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line of the terminal; its echo is off for that time. */
static int
read_line(int tty, const char *prompt, struct buf *out, struct err *err)
{
	struct termios before, quiet;
	size_t was = out->len;
	int r = 0;
	char c;

	if (tcgetattr(tty, &before) != 0)
		return err_errno(err, ERR_FAULT, "asking the terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return err_errno(err, ERR_FAULT, "asking the terminal");
	(void)!write(tty, prompt, strlen(prompt));
	for (;;) {
		ssize_t n = read(tty, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 1 || c == '\n')
			break;
		if (out->len - was < KEYSTORE_PASSPHRASE_MAX)
			buf_append(out, &c, 1);
		else
			r = -1;
	}
	explicit_bzero(&c, sizeof(c));
	tcsetattr(tty, TCSAFLUSH, &before);
	(void)!write(tty, "\n", 1);
	return r == 0 && !out->failed ? 0 : err_set(err, ERR_FAULT,
	    "a passphrase has at most %d octets", KEYSTORE_PASSPHRASE_MAX);
}

/* Room for all of it at once, so that growing leaves no copies behind. */
static int
make_room(struct buf *out, struct err *err)
{
	return buf_reserve(out, KEYSTORE_PASSPHRASE_MAX + 2) == NULL ?
	    err_set(err, ERR_RETRY, "out of memory") : 0;
}

int
passphrase_ask(struct ctl *ctl, const char *prompt, struct buf *out,
    struct err *err)
{
	OWNED_FD tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0)
		return ctl_fail(ctl, EX_USAGE, err, "%.*s: needed, and there "
		    "is no terminal to ask at: name a file (csrmail(1) has "
		    "the option)", (int)strcspn(prompt, ":"), prompt);
	if (make_room(out, err) != 0)
		return -1;
	return read_line(tty, prompt, out, err);
}

int
passphrase_ask_new(struct ctl *ctl, const char *ca, struct buf *out,
    struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf again =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED_BUF(prompt, 256);

	buf_printf(&prompt, "New passphrase for the key of %s: ", ca);
	if (passphrase_ask(ctl, buf_str(&prompt), out, err) != 0 ||
	    passphrase_ask(ctl, "The same again: ", &again, err) != 0)
		return -1;
	return bytes_equal(buf_bytes(out), buf_bytes(&again)) ? 0 :
	    ctl_fail(ctl, EX_USAGE, err, "the two passphrases differ");
}

static int
ask(struct ctl *ctl, const char *ca, bool twice, struct buf *out,
    struct err *err)
{
	OWNED_BUF(prompt, 256);

	if (twice)
		return passphrase_ask_new(ctl, ca, out, err);
	buf_printf(&prompt, "Passphrase for the key of %s: ", ca);
	return passphrase_ask(ctl, buf_str(&prompt), out, err);
}

int
passphrase_from_file(struct ctl *ctl, const char *path, struct buf *out,
    struct err *err)
{
	OWNED_FD fd = ctl_open_file(ctl, path, err);

	return fd < 0 ? -1 : passphrase_read(fd, out, err);
}

int
passphrase_obtain(struct ctl *ctl, const char *ca, const char *option,
    bool twice, struct buf *out, struct err *err)
{
	const char *path = option == NULL ? NULL : ctl_option(ctl, option);
	const struct ca_settings *set = ctl->settings == NULL ? NULL :
	    settings_ca(ctl->settings, ca);
	const char *from;
	OWNED_FD fd = -1;
	int r;

	if (path != NULL)
		return passphrase_from_file(ctl, path, out, err);
	r = passphrase_open(ca, set == NULL ? "" : set->passphrase_file, &fd,
	    &from, err);
	if (r == 1)
		return ask(ctl, ca, twice, out, err);
	return r == 0 ? passphrase_read(fd, out, err) : -1;
}
