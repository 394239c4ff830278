#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *
ctl_option(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < ctl->n_options; i++)
		if (strcmp(ctl->options[i].name, name) == 0)
			return ctl->options[i].value;
	return NULL;
}

int
ctl_fail(struct ctl *ctl, int exit_code, struct err *err, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctl->exit_code = exit_code;
	return err_set(err, ERR_REJECT, "%s", text);
}

int
ctl_number(struct ctl *ctl, const char *name, long lo, long hi,
    long otherwise, long *out, struct err *err)
{
	const char *text = ctl_option(ctl, name);
	char *end;
	long n;

	if (text == NULL) {
		*out = otherwise;
		return 0;
	}
	errno = 0;
	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    n < lo || n > hi)
		return ctl_fail(ctl, EX_USAGE, err, "--%s: a number of %ld to "
		    "%ld is needed", name, lo, hi);
	*out = n;
	return 0;
}

int
ctl_confirm(struct ctl *ctl, const char *question, struct err *err)
{
	char line[16] = "";
	FILE *tty;

	if (ctl_option(ctl, "yes") != NULL)
		return 0;
	fflush(stdout);
	tty = fopen("/dev/tty", "r+e");
	if (tty == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "%s There is no terminal "
		    "to ask at: --yes says so", question);
	fprintf(tty, "%s [yes/no] ", question);
	fflush(tty);
	if (fgets(line, sizeof(line), tty) == NULL)
		line[0] = '\0';
	fclose(tty);
	return strcmp(line, "yes\n") == 0 || strcmp(line, "y\n") == 0 ? 0 :
	    ctl_fail(ctl, EX_NOPERM, err, "not confirmed: nothing was done");
}
