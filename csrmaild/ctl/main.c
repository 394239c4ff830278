/*
 * csrmail(1): the command line. Finds the command in the table, reads what it
 * needs, runs it, and turns what went wrong into a sentence and an exit code
 * of sysexits.h.
 */
#include "csrmaild/ctl/alone.h"
#include "csrmaild/ctl/command.h"
#include "csrmaild/ctl/protocol.h"
#include "csrmaild/ctl/terse.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/keystore.h"

#include <curl/curl.h>

#include <sys/resource.h>

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONF	"/etc/csrmail/csrmaild.conf"
#define SECURE_HEAP	((size_t)256 << 10)	/* octets of locked memory */

static int
exit_code_of(const struct ctl *ctl, const struct err *err)
{
	if (ctl->exit_code != 0)
		return ctl->exit_code;
	switch (err->kind) {
	case ERR_REJECT:
		return EX_DATAERR;
	case ERR_RETRY:
		return EX_TEMPFAIL;
	case ERR_FAULT:
		return EX_SOFTWARE;
	}
	return EX_SOFTWARE;
}

static int
complain(const struct ctl *ctl, const struct err *err)
{
	fputs("csrmail: ", stderr);
	table_put_text(stderr, err->text, 0);
	if (err->detail[0] != '\0') {
		fputs(": ", stderr);
		table_put_text(stderr, err->detail, 0);
	}
	fputc('\n', stderr);
	return exit_code_of(ctl, err);
}

static int
run(const struct command *command, struct ctl *ctl)
{
	struct err err = { 0 };

	if (command->needs == NEEDS_SETTINGS &&
	    ctl_need_settings(ctl, &err) != 0)
		return complain(ctl, &err);
	if (protocol_check(ctl, &err) != 0)
		return complain(ctl, &err);
	if (command->run(ctl, &err) != 0)
		return complain(ctl, &err);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EX_IOERR;
	return ctl->exit_code;
}

/* Help for all, or for the noun that was typed. */
static void
put_help(FILE *f, const char *noun)
{
	const struct command *c = ctl_commands;
	size_t len = noun == NULL ? 0 : strlen(noun);

	while (len > 0 && c->name != NULL &&
	    (strncmp(c->name, noun, len) != 0 || c->name[len] != ' '))
		c++;
	command_usage(f, NULL, len == 0 || c->name == NULL ? "" : noun);
}

/* Options of main's own may stand before the noun as well. */
static int
words_before_noun(int argc, char *const *argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0' &&
	    !terse_begins(argv[i])) {
		bool takes = strcmp(argv[i], "-c") == 0 ||
		    strcmp(argv[i], "--config") == 0 ||
		    strcmp(argv[i], "-d") == 0 ||
		    strcmp(argv[i], "--folder") == 0 ||
		    strcmp(argv[i], "-s") == 0 ||
		    strcmp(argv[i], "--socket") == 0;

		i += takes ? 2 : 1;
	}
	return i < argc ? i : argc;
}

static int
say_what_there_is(const struct ctl *ctl, const char *noun)
{
	if (ctl_option(ctl, "version") != NULL) {
		puts("csrmail " CSRMAIL_VERSION);
		return 0;
	}
	if (ctl_option(ctl, "help") != NULL ||
	    (noun != NULL && strcmp(noun, "help") == 0)) {
		put_help(stdout, NULL);
		return 0;
	}
	put_help(stderr, noun);
	return EX_USAGE;
}

/* `init` has a --folder of its own: that of the mailbox. */
static bool
has_own_folder(const struct command *command)
{
	const struct ctl_option *option = command->options;

	while (option->name != NULL && strcmp(option->name, "folder") != 0)
		option++;
	return option->name != NULL;
}

/* argv: what follows the command's name. */
static int
run_command(struct ctl *ctl, const struct command *command, int argc,
    char *const *argv)
{
	struct err err = { 0 };
	bool own_folder = has_own_folder(command);
	int code;

	if (own_folder && ctl->folder != NULL) {
		ctl_fail(ctl, EX_USAGE, &err, "--folder before %s: it makes a "
		    "CA with a daemon", command->name);
		return complain(ctl, &err);
	}
	if (command_read_args(command, argc, argv, ctl, &err) != 0) {
		complain(ctl, &err);
		command_usage(stderr, command, "");
		return EX_USAGE;
	}
	if (ctl_option(ctl, "help") != NULL) {
		command_usage(stdout, command, "");
		return 0;
	}
	ctl->conf = ctl_option(ctl, "config");
	if (ctl->conf == NULL)
		ctl->conf = DEFAULT_CONF;
	if (ctl->folder == NULL && !own_folder)
		ctl->folder = ctl_option(ctl, "folder");
	ctl->socket = ctl_option(ctl, "socket");
	ctl->json = ctl_option(ctl, "json") != NULL;
	ctl->may_be_alone = command->needs == NEEDS_DESK;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = run(command, ctl);
	alone_end(ctl);
	settings_free(ctl->settings);
	curl_global_cleanup();
	return code;
}

static int
run_terse(struct ctl *ctl, int argc, char *const *argv)
{
	const struct command *command;
	struct terse terse;
	struct err err = { 0 };
	int used = 0, code;

	if (ctl->folder == NULL &&
	    ctl_option(ctl, "config") == NULL)
		ctl->folder = getenv("CSRMAIL_FOLDER");
	code = terse_translate(ctl, argc, argv, &terse, &err);
	command = terse.command != NULL ? terse.command :
	    command_find(terse.argc, terse.argv, &used);
	code = code != 0 || command == NULL ? complain(ctl, &err) :
	    run_command(ctl, command, terse.argc - used, terse.argv + used);
	terse_free_contents(&terse);
	return code;
}

/* Ceremonies have passphrases and keys in this process, as the signer has: no
 * core, keys in locked memory, and nothing in the environment of children. */
static int
guard_secrets(struct err *err)
{
	static const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	/* Where little may be locked, commands without keys work all the
	 * same. */
	(void)keystore_guard_memory(SECURE_HEAP, err);
	return passphrase_take_environment(err);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { .argc = argc, .argv = argv };
	const struct command *command;
	struct err err = { 0 };
	int first = words_before_noun(argc, argv), used = 0;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (guard_secrets(&err) != 0)
		return complain(&ctl, &err);
	if (command_read_args(NULL, first - 1, argv + 1, &ctl, &err) != 0)
		return complain(&ctl, &err);
	ctl.folder = ctl_option(&ctl, "folder");
	if (first < argc && terse_begins(argv[first]))
		return run_terse(&ctl, argc - first, argv + first);
	command = command_find(argc - first, argv + first, &used);
	if (command == NULL)
		return say_what_there_is(&ctl,
		    first < argc ? argv[first] : NULL);
	return run_command(&ctl, command, argc - first - used,
	    argv + first + used);
}
