#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>

/*
 * One event, one line on standard error: an event name and typed fields,
 * never a formatted sentence.
 *
 *	log_info("cert.issued", STR("serial", hex), NUM("request", id));
 *
 * Values are escaped, because senders choose Subject lines. Secrets are
 * never fields. The audit trail is another thing (common/audit.h).
 */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR };

struct log_field {
	const char	*key;
	const char	*text;		/* NULL: the value is number */
	int64_t		 number;
};
#define STR(k, v)	{ .key = (k), .text = (v) }
#define NUM(k, v)	{ .key = (k), .number = (int64_t)(v) }

#define log_debug(...)	LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)	LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)	LOG_AT_(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...)	LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_AT_(level, event, ...)					\
	log_event((level), (event),					\
	    (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,)	\
	    { .key = 0 } })

/* Whose lines these are ("csrmaild", "signer"), and from which level on.
 * Both strings are borrowed for the life of the process. */
void	log_open(const char *program, const char *role, enum log_level);
void	log_event(enum log_level, const char *event,
	    const struct log_field *fields);

#endif
