#include "csrmaild/unlock.h"

#include "csrmaild/ceremony.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Passphrases: they go from the terminal or a file straight to the signer, or
 * into the key's own file, and past everybody else.
 */
#define ANSWER_S	30	/* the signer lets one try in a second */

/* Beside api.sock, wherever that is. */
static int
find_socket(struct ctl *ctl, struct sockaddr_un *at, struct err *err)
{
	const char *slash;
	int n;

	if (ctl->socket != NULL) {
		slash = strrchr(ctl->socket, '/');
		n = snprintf(at->sun_path, sizeof(at->sun_path),
		    "%.*sunlock.sock", slash == NULL ? 0 :
		    (int)(slash + 1 - ctl->socket), ctl->socket);
	} else {
		if (ctl_need_settings(ctl, err) != 0)
			return -1;
		n = snprintf(at->sun_path, sizeof(at->sun_path),
		    "%s/unlock.sock", ctl->settings->run_dir);
	}
	return n > 0 && (size_t)n < sizeof(at->sun_path) ? 0 :
	    ctl_fail(ctl, EX_USAGE, err, "the socket's path is too long");
}

static int
connect_to_signer(struct ctl *ctl, int *out, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = ANSWER_S };
	OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(err, ERR_FAULT, "socket");
	if (find_socket(ctl, &at, err) != 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
		*out = TAKE_FD(fd);
		return 0;
	}
	if (errno == EACCES || errno == EPERM)
		return ctl_fail(ctl, EX_NOPERM, err, "keys are opened and "
		    "locked by root and the group csrmail-security");
	return ctl_fail(ctl, EX_UNAVAILABLE, err, "csrmaild does not answer "
	    "at %s: %s", at.sun_path, strerror(errno));
}

static int
read_answer(struct ctl *ctl, int fd, struct unlock_answer *out,
    struct err *err)
{
	uint8_t in[UNLOCK_MAX_ANSWER];
	size_t have = 0;
	int r = 1;

	while (r == 1 && have < sizeof(in)) {
		ssize_t n = recv(fd, in + have, sizeof(in) - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		r = unlock_get_answer((struct bytes){ in, have }, out, err);
	}
	return r == 0 ? 0 : ctl_fail(ctl, EX_UNAVAILABLE, err,
	    "the signer did not answer; `csrmail status` says how it does");
}

static int
ask_signer(struct ctl *ctl, enum unlock_verb verb, struct bytes passphrase,
    struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf frame =
	    BUF(UNLOCK_MAX_REQUEST);
	struct unlock_request request = { .verb = verb,
		.passphrase = passphrase };
	struct unlock_answer answer;
	OWNED_FD fd = -1;

	if (strlen(ctl->args[0]) >= sizeof(request.ca))
		return ctl_fail(ctl, EX_USAGE, err, "no CA has such a name");
	snprintf(request.ca, sizeof(request.ca), "%s", ctl->args[0]);
	if (unlock_put_request(&request, &frame, err) != 0 ||
	    connect_to_signer(ctl, &fd, err) != 0)
		return -1;
	if (send(fd, frame.data, frame.len, MSG_NOSIGNAL) !=
	    (ssize_t)frame.len || read_answer(ctl, fd, &answer, err) != 0)
		return ctl_fail(ctl, EX_UNAVAILABLE, err,
		    "the signer did not take the request");
	if (!answer.done)
		return ctl_fail(ctl, answer.kind == ERR_RETRY ? EX_TEMPFAIL :
		    EX_NOPERM, err, "%s", answer.text);
	if (!ctl->json)
		printf("%s\n", answer.text);
	return 0;
}

int
ctl_ca_unlock(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	const char *file = ctl_option(ctl, "passphrase-file");
	OWNED_BUF(prompt, 256);

	buf_printf(&prompt, "Passphrase for the key of %s: ", ctl->args[0]);
	/* What the daemon finds by itself it has tried already. */
	if ((file != NULL ?
	    passphrase_from_file(ctl, file, &passphrase, err) :
	    passphrase_ask(ctl, buf_str(&prompt), &passphrase, err)) != 0)
		return -1;
	return ask_signer(ctl, UNLOCK_OPEN, buf_bytes(&passphrase), err);
}

int
ctl_ca_lock(struct ctl *ctl, struct err *err)
{
	return ask_signer(ctl, UNLOCK_CLOSE, (struct bytes){ 0 }, err);
}

/* --- another passphrase -------------------------------------------------------- */
/* Where the old one still stands. */
static void
tell_sources(struct ctl *ctl, const char *family)
{
	const struct ca_settings *set = settings_ca(ctl->settings, family);
	char file[CA_NAME_MAX + 2], variable[PASSPHRASE_NAME_SIZE];

	ca_file_name(family, "", file, sizeof(file));
	passphrase_variable(family, variable);
	printf("Put the new passphrase where csrmaild finds it, before it "
	    "starts again:\n");
	if (set != NULL && set->passphrase_file[0] != '\0')
		printf("  passphrase_file in %s: %s\n", ctl->conf,
		    set->passphrase_file);
	printf("  the systemd credential csrmail.%s, if there is one\n"
	    "  the variable %s, if it is set\n"
	    "or type it in after each start: csrmail ca unlock %s\n"
	    "Copies of the key in backups open with the old passphrase.\n",
	    file, variable, family);
}

int
ctl_ca_rekey_passphrase(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf before =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	__attribute__((cleanup(buf_wipe))) struct buf after =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	const char *file = ctl_option(ctl, "new-passphrase-file");
	char family[CA_NAME_MAX + 1];
	HOLDING hold = HOLD;
	unsigned int n;

	ca_family(ctl->args[0], family, sizeof(family));
	if (hold_open(ctl, &hold, err) != 0 ||
	    passphrase_obtain(ctl, family, "passphrase-file", false, &before,
	    err) != 0)
		return -1;
	if ((file != NULL ? passphrase_from_file(ctl, file, &after, err) :
	    passphrase_ask_new(ctl, family, &after, err)) != 0)
		return -1;
	if (ceremony_rekey(&hold.ceremony, family, buf_bytes(&before),
	    buf_bytes(&after), &n, err) != 0)
		return -1;
	if (!ctl->json) {
		printf("%u key%s of %s ha%s another passphrase.\n", n,
		    n == 1 ? "" : "s", family, n == 1 ? "s" : "ve");
		tell_sources(ctl, family);
	}
	return 0;
}
