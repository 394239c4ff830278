#include "csrmaild/people.h"

#include "common/err.h"
#include "common/log.h"
#include "csrmaild/problem.h"
#include "csrmaild/registry.h"
#include "csrmaild/verbs.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

/* Anybody may connect, and be told that they may do nothing; but not so many
 * of those that nobody else gets in. */
#define MAX_WITHOUT_RIGHTS	8

static bool
is_crowded(const struct registrar *r)
{
	unsigned int n = 0;

	for (size_t i = 0; i < REGISTRAR_MAX_PEOPLE; i++)
		if (r->people[i].connection != 0 &&
		    r->people[i].principal.rights == 0)
			n++;
	return n >= MAX_WITHOUT_RIGHTS;
}

static struct person *
find(struct registrar *r, uint64_t connection)
{
	for (size_t i = 0; i < REGISTRAR_MAX_PEOPLE; i++)
		if (r->people[i].connection == connection)
			return &r->people[i];
	return NULL;
}

void
people_accept(struct registrar *r)
{
	OWNED_FD fd = accept4(r->listen_fd, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct person *person = find(r, 0);
	struct principal who;
	struct err err;

	if (fd < 0)
		return;
	if (person == NULL) {
		log_warn("api.full", NUM("connections", REGISTRAR_MAX_PEOPLE));
		return;
	}
	if (principal_of_socket(fd, &r->groups, &who, &err) == -1) {
		log_warn("api.unknown", STR("why", err.text),
		    STR("detail", err.detail));
		return;
	}
	if (who.rights == 0 && is_crowded(r))
		return;
	if (wire_send_connection(r->api, ++r->last_connection,
	    (who.rights & RIGHT_ADMIN) != 0, TAKE_FD(fd), &err) == -1) {
		log_warn("api.busy", STR("why", err.text));
		return;
	}
	person->connection = r->last_connection;
	person->principal = who;
}

void
people_take_call(struct registrar *r, const struct wire_call *call)
{
	struct person *person = call->connection == 0 ? NULL :
	    find(r, call->connection);
	struct wire_result result = { .connection = call->connection,
		.call = call->call, .status = 403 };
	OWNED_BUF(json, WIRE_MAX_RESULT);
	struct err err;

	if (person == NULL)
		problem_write(403, "nobody is connected under that number",
		    &json);
	else if (verbs_call(r, &person->principal, call, &result.status,
	    &json) == 1)
		return;		/* the answer follows */
	result.json = buf_bytes(&json);
	if (wire_send_result(r->api, &result, &err) == -1)
		log_warn("api.answer.lost", STR("why", err.text),
		    STR("detail", err.detail));
}

void
people_take_closed(struct registrar *r, uint64_t connection)
{
	struct person *person = connection == 0 ? NULL : find(r, connection);

	if (person == NULL)
		return;
	memset(person, 0, sizeof(*person));
	verbs_closed(connection);
}
