#include "csrmaild/ctl/ctl.h"

#include "csrmaild/settings.h"

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
ctl_need_settings(struct ctl *ctl, struct err *err)
{
	if (ctl->settings != NULL)
		return 0;
	if (settings_read(ctl->conf, &ctl->settings, err) == 0)
		return 0;
	ctl->exit_code = EX_CONFIG;
	return -1;
}
