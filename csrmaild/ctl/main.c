/*
 * csrmail(1): the command line. Finds the command in the table, reads what it
 * needs, runs it, and turns what went wrong into a sentence and an exit code
 * of sysexits.h.
 */
#include "csrmaild/ctl/command.h"
#include "csrmaild/settings.h"

#include "common/err.h"

#include <curl/curl.h>

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONF	"/etc/csrmail/csrmaild.conf"

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

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		bool takes = strcmp(argv[i], "-c") == 0 ||
		    strcmp(argv[i], "--config") == 0 ||
		    strcmp(argv[i], "-s") == 0 ||
		    strcmp(argv[i], "--socket") == 0;

		i += takes ? 2 : 1;
	}
	return i < argc ? i : argc;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	const struct command *command;
	struct err err = { 0 };
	int first = words_before_noun(argc, argv), used = 0, code;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (command_read_args(NULL, first - 1, argv + 1, &ctl, &err) != 0)
		return complain(&ctl, &err);
	command = command_find(argc - first, argv + first, &used);
	if (command == NULL) {
		const char *noun = first < argc ? argv[first] : NULL;

		if (ctl_option(&ctl, "version") != NULL) {
			puts("csrmail " CSRMAIL_VERSION);
			return 0;
		}
		if (ctl_option(&ctl, "help") != NULL ||
		    (noun != NULL && strcmp(noun, "help") == 0)) {
			put_help(stdout, NULL);
			return 0;
		}
		put_help(stderr, noun);
		return EX_USAGE;
	}
	if (command_read_args(command, argc - first - used,
	    argv + first + used, &ctl, &err) != 0) {
		complain(&ctl, &err);
		command_usage(stderr, command, "");
		return EX_USAGE;
	}
	if (ctl_option(&ctl, "help") != NULL) {
		command_usage(stdout, command, "");
		return 0;
	}
	ctl.conf = ctl_option(&ctl, "config");
	if (ctl.conf == NULL)
		ctl.conf = DEFAULT_CONF;
	ctl.socket = ctl_option(&ctl, "socket");
	ctl.json = ctl_option(&ctl, "json") != NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = run(command, &ctl);
	settings_free(ctl.settings);
	curl_global_cleanup();
	return code;
}
