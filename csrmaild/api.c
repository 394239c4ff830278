#include "csrmaild/api.h"

#include "csrmaild/problem.h"
#include "csrmaild/upload.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/log.h"
#include "common/role.h"

#include <jansson.h>
#include <microhttpd.h>

#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX			"/api/v1/"
#define MAX_GUESTS		64
#define MAX_BODY_OCTETS		(64u << 10)
#define MAX_UPLOADED_OCTETS	((size_t)WIRE_MAX_MESSAGE)	/* by all guests
							 * together */
#define OCTETS_TYPE		"application/octet-stream"
#define MAX_DEPTH		8
#define MAX_ARGS		32
#define IDLE_TIMEOUT_S		30

/*
 * One connection. libmicrohttpd serves one request of it at a time, so the
 * call in hand stands here as well: a request is suspended when it has gone
 * to the registrar, and resumed when the result is there.
 */
struct guest {
	bool			 used;
	uint64_t		 number;	/* the registrar's */
	int			 fd;		/* libmicrohttpd's */
	struct api		*api;
	struct MHD_Connection	*connection;	/* of the request in hand */
	uint64_t		 call;		/* 0: none with the registrar */
	bool			 too_long;
	struct buf		 body;
	bool			 may_upload;
	struct upload		 upload;	/* the body, when it is no JSON */
	uint16_t		 status;	/* 0: no answer yet */
	struct buf		 answer;
};

struct api {
	struct channel		*registrar;
	struct MHD_Daemon	*http;
	uint64_t		 last_call;
	size_t			 uploaded;	/* octets of all uploads */
	bool			 broken;	/* the registrar's channel */
	struct guest		 guests[MAX_GUESTS];
};

static struct guest *
guest_by_fd(struct api *api, int fd)
{
	for (size_t i = 0; i < MAX_GUESTS; i++)
		if (api->guests[i].used && api->guests[i].fd == fd)
			return &api->guests[i];
	return NULL;
}

static struct guest *
guest_by_connection(struct api *api, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info == NULL ? NULL : guest_by_fd(api, info->connect_fd);
}

static void
forget_request(struct guest *guest)
{
	buf_free(&guest->body);
	buf_free(&guest->answer);
	upload_drop(&guest->upload, &guest->api->uploaded);
	guest->connection = NULL;
	guest->call = 0;
	guest->status = 0;
	guest->too_long = false;
}

/* The registrar forgets who sat there, and drops what still comes. */
static void
guest_left(struct guest *guest)
{
	struct err err;

	if (wire_send_closed(guest->api->registrar, guest->number,
	    &err) != 0) {
		log_error("api.registrar", STR("why", err.text));
		guest->api->broken = true;
	}
	forget_request(guest);
	guest->used = false;
}

static void
refuse(struct guest *guest, uint16_t status, const char *detail)
{
	guest->status = status;
	problem_write(status, detail, &guest->answer);
}

/* --- one request: what was asked, as canonical JSON --- */

/* Nesting, before any parser sees the octets. */
static bool
depth_is_fit(struct bytes json)
{
	unsigned int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < json.len; i++) {
		uint8_t c = json.data[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MAX_DEPTH)
				return false;
		} else if (c == '}' || c == ']') {
			depth = depth == 0 ? 0 : depth - 1;
		}
	}
	return true;
}

/* The body, or an empty object when there is none. NULL: refused. */
static json_t *
read_body(struct guest *guest)
{
	const char *type = MHD_lookup_connection_value(guest->connection,
	    MHD_HEADER_KIND, "Content-Type");
	json_error_t why;
	json_t *args;

	if (guest->body.len == 0 || upload_is_open(&guest->upload))
		return json_object();
	/* Also keeps out what a browser can be made to send (forms). */
	if (type == NULL || strncasecmp(type, "application/json", 16) != 0 ||
	    (type[16] != '\0' && type[16] != ';' && type[16] != ' ')) {
		refuse(guest, 415, "the body must be application/json");
		return NULL;
	}
	if (!depth_is_fit(buf_bytes(&guest->body))) {
		refuse(guest, 400, "the JSON is nested too deeply");
		return NULL;
	}
	args = json_loadb((const char *)guest->body.data, guest->body.len,
	    JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(args))
		return args;
	refuse(guest, 400, args != NULL ? "the body must be an object" :
	    why.text);
	json_decref(args);
	return NULL;
}

struct query {
	json_t		*args;
	unsigned int	 n;
	const char	*problem;
};

static enum MHD_Result
add_query_arg(void *arg, enum MHD_ValueKind kind, const char *key,
    const char *value)
{
	struct query *query = arg;
	json_t *text;
	char *plain;

	(void)kind;
	/* MHD keeps the order: the second of two is the one that is seen. */
	if (++query->n > MAX_ARGS ||
	    json_object_get(query->args, key) != NULL) {
		query->problem = "too many arguments, or one is given twice";
		return MHD_NO;
	}
	plain = strdup(value == NULL ? "" : value);
	if (plain == NULL)
		return MHD_NO;
	MHD_http_unescape(plain);
	text = json_string(plain);
	free(plain);
	if (text == NULL ||
	    json_object_set_new(query->args, key, text) != 0) {
		query->problem = "the query is not UTF-8";
		return MHD_NO;
	}
	return MHD_YES;
}

static void
call_registrar(struct guest *guest, const char *method, const char *path)
{
	struct query query = { 0 };
	struct wire_call call = { .connection = guest->number };
	OWNED_BUF(json, WIRE_MAX_CALL / 2);
	struct err err;

	query.args = read_body(guest);
	if (query.args == NULL)
		return;
	MHD_get_connection_values(guest->connection, MHD_GET_ARGUMENT_KIND,
	    add_query_arg, &query);
	if (query.problem != NULL)
		refuse(guest, 400, query.problem);
	else if (json_write(query.args, &json) != 0)
		refuse(guest, 413, "the arguments are too long");
	json_decref(query.args);
	if (guest->status != 0)
		return;
	if (upload_is_open(&guest->upload)) {
		call.octets = upload_seal(&guest->upload,
		    &guest->api->uploaded);
		call.has_octets = call.octets >= 0;
		if (!call.has_octets) {
			refuse(guest, 503, "the octets could not be kept");
			return;
		}
	}
	call.call = ++guest->api->last_call;
	call.json = buf_bytes(&json);
	memcpy(call.method, method, strlen(method));
	memcpy(call.path, path, strlen(path));
	if (wire_send_call(guest->api->registrar, &call, &err) != 0) {
		log_warn("api.call", STR("why", err.text));
		refuse(guest, 503, "the registrar is too busy");
		return;
	}
	guest->call = call.call;
	MHD_suspend_connection(guest->connection);
}

/* Before the body: is this a request that can be passed on at all? */
static void
check_request(struct guest *guest, const char *url, const char *method)
{
	if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
		refuse(guest, 405, "only GET and POST are understood");
	else if (strncmp(url, PREFIX, strlen(PREFIX)) != 0)
		refuse(guest, 404, "everything is below " PREFIX);
	else if (strlen(url + strlen(PREFIX)) >=
	    sizeof(((struct wire_call *)0)->path))
		refuse(guest, 404, "the path is too long");
}

static enum MHD_Result
answer(struct guest *guest)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    guest->answer.len, guest->answer.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type",
	    guest->status < 400 ? "application/json" :
	    "application/problem+json");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (guest->status == 405)
		MHD_add_response_header(response, "Allow", "GET, POST");
	r = MHD_queue_response(guest->connection, guest->status, response);
	MHD_destroy_response(response);
	return r;
}

/* Octets that are not JSON go into a file in memory, unread. */
static void
take_body(struct guest *guest, const char *data, size_t len)
{
	const char *type = MHD_lookup_connection_value(guest->connection,
	    MHD_HEADER_KIND, "Content-Type");

	if (guest->too_long)
		return;
	if (!guest->may_upload || type == NULL ||
	    strcasecmp(type, OCTETS_TYPE) != 0)
		guest->too_long = buf_append(&guest->body, data, len) != 0;
	else if (guest->api->uploaded + len > MAX_UPLOADED_OCTETS ||
	    upload_append(&guest->upload, data, len,
	    &guest->api->uploaded) != 0)
		guest->too_long = true;
}

/*
 * libmicrohttpd calls this when the header is there, for each piece of the
 * body, at its end, and again when a suspended request is resumed.
 */
static enum MHD_Result
handle(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **request)
{
	struct guest *guest = *request;

	(void)version;
	if (guest == NULL) {
		guest = guest_by_connection(arg, connection);
		if (guest == NULL)
			return MHD_NO;
		forget_request(guest);
		guest->body = BUF(MAX_BODY_OCTETS);
		guest->answer = BUF(WIRE_MAX_RESULT);
		guest->connection = connection;
		*request = guest;
		return MHD_YES;
	}
	if (*len > 0) {
		take_body(guest, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (guest->status == 0) {
		check_request(guest, url, method);
		if (guest->status == 0 && guest->too_long)
			refuse(guest, 413, "the body is too long");
		if (guest->status == 0) {
			call_registrar(guest, method, url + strlen(PREFIX));
			if (guest->status == 0)
				return MHD_YES;
		}
	}
	return answer(guest);
}

static void
request_completed(void *arg, struct MHD_Connection *connection,
    void **request, enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)connection;
	(void)why;
	if (*request != NULL)
		forget_request(*request);
	*request = NULL;
}

static void
connection_changed(void *arg, struct MHD_Connection *connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct guest *guest;

	(void)socket_context;
	if (code != MHD_CONNECTION_NOTIFY_CLOSED)
		return;
	guest = guest_by_connection(arg, connection);
	if (guest != NULL)
		guest_left(guest);
}

/* Paths and queries stay as they came: a CA's name may hold an encoded "/",
 * and only the table of verbs knows which part is what. */
static size_t
unescape_nothing(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

/* --- frames from the registrar --- */

static void
take_connection(struct api *api, const struct frame *frame, uint64_t number,
    bool may_upload)
{
	/* A Unix socket's peer has no address worth a name. */
	const struct sockaddr_un nobody = { .sun_family = AF_UNIX };
	struct guest *guest = api->guests;

	while (guest < api->guests + MAX_GUESTS && guest->used)
		guest++;
	if (guest == api->guests + MAX_GUESTS) {
		struct err err;

		close(frame->fd);
		if (wire_send_closed(api->registrar, number, &err) != 0)
			api->broken = true;
		return;
	}
	*guest = (struct guest){ .used = true, .number = number,
		.fd = frame->fd, .api = api, .may_upload = may_upload,
		.upload = UPLOAD_NONE };
	/* On failure libmicrohttpd has closed the descriptor. */
	if (MHD_add_connection(api->http, frame->fd,
	    (const struct sockaddr *)&nobody, sizeof(nobody)) != MHD_YES) {
		log_warn("api.connection", STR("why", "not accepted"));
		guest_left(guest);
	}
}

static void
take_result(struct api *api, const struct wire_result *result)
{
	for (size_t i = 0; i < MAX_GUESTS; i++) {
		struct guest *guest = &api->guests[i];

		if (!guest->used || guest->call == 0 ||
		    guest->number != result->connection ||
		    guest->call != result->call)
			continue;
		guest->call = 0;
		guest->status = result->status;
		if (buf_append_bytes(&guest->answer, result->json) != 0)
			refuse(guest, 500, "the answer is too long");
		MHD_resume_connection(guest->connection);
		return;
	}
	/* Whoever asked has gone: nothing to do. */
}

static int
take_frame(struct api *api, const struct frame *frame, struct err *err)
{
	struct wire_result result;
	uint64_t number;
	bool may_upload;

	switch (frame->type) {
	case WIRE_CONNECTION:
		if (frame->fd < 0 ||
		    wire_get_connection(frame, &number, &may_upload,
		    err) != 0)
			break;
		take_connection(api, frame, number, may_upload);
		return 0;
	case WIRE_RESULT:
		if (wire_get_result(frame, &result, err) != 0 ||
		    result.status < 200 || result.status > 599)
			break;
		take_result(api, &result);
		return 0;
	default:
		break;
	}
	if (frame->fd >= 0)
		close(frame->fd);
	return err_set(err, ERR_FAULT, "registrar: broken frame");
}

static int
read_registrar(struct api *api, struct err *err)
{
	struct frame frame;
	int r;

	if (channel_read(api->registrar, err) != 0)
		return -1;
	while ((r = channel_next(api->registrar, &frame, err)) == 1)
		if (take_frame(api, &frame, err) != 0)
			return -1;
	return r;
}

/* --- the role --- */

static struct MHD_Daemon *
start_http(struct api *api)
{
	/* Driven from outside by select: no thread, no listening socket. */
	return MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET |
	    MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, api,
	    MHD_OPTION_NOTIFY_COMPLETED, request_completed, api,
	    MHD_OPTION_NOTIFY_CONNECTION, connection_changed, api,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, api,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned int)MAX_GUESTS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_TIMEOUT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(32 << 10),
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void
watch(int fd, fd_set *in, int *highest)
{
	if (fd < 0 || fd >= FD_SETSIZE)
		return;
	FD_SET(fd, in);
	if (fd > *highest)
		*highest = fd;
}

/* One turn: wait, serve the registrar, serve people. -1: the role ends. */
static int
turn(struct api *api, struct role *role, struct err *err)
{
	const int registrar = channel_fd(api->registrar);
	const int control = role->control == NULL ? -1 :
	    channel_fd(role->control);
	MHD_UNSIGNED_LONG_LONG wait_ms;
	struct timeval wait = { .tv_sec = 60 };
	fd_set in, out, except;
	int highest = -1;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	if (MHD_get_fdset(api->http, &in, &out, &except, &highest) != MHD_YES)
		return err_set(err, ERR_FAULT, "watching connections");
	watch(registrar, &in, &highest);
	if (channel_queued(api->registrar) > 0)
		FD_SET(registrar, &out);
	watch(control, &in, &highest);
	watch(role_signal_fd(), &in, &highest);
	if (MHD_get_timeout(api->http, &wait_ms) == MHD_YES &&
	    wait_ms < 60000) {
		wait.tv_sec = (time_t)(wait_ms / 1000);
		wait.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000);
	}
	if (select(highest + 1, &in, &out, &except, &wait) < 0) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_ZERO(&except);
	}
	/* main is gone, or has something to say: both mean stop. */
	if (control >= 0 && FD_ISSET(control, &in))
		return err_set(err, ERR_RETRY, "main has closed");
	if (FD_ISSET(registrar, &out) &&
	    channel_flush(api->registrar, err) != 0)
		return -1;
	if (FD_ISSET(registrar, &in) && read_registrar(api, err) != 0)
		return -1;
	/* Last: a resumed request wakes nobody in this mode, it must be found
	 * in the same turn. */
	MHD_run_from_select(api->http, &in, &out, &except);
	if (api->broken)
		return err_set(err, ERR_FAULT, "the registrar is gone");
	return 0;
}

int
api_main(struct role *role)
{
	const struct sandbox walls = { .allow = 0, .max_memory = 0 };
	struct api *api = calloc(1, sizeof(*api));
	struct err err = { 0 };
	int r = 0;

	if (api == NULL)
		return EXIT_FAILURE;
	/* Out: the calls of all guests; in: the longest result. */
	api->registrar = role_take_peer(role, "registrar",
	    WIRE_MAX_RESULT + 1024, MAX_GUESTS * WIRE_MAX_CALL);
	api->http = start_http(api);
	if (api->registrar == NULL || api->http == NULL) {
		log_error("api.start", STR("why", "no registrar, or no room"));
		r = -1;
	} else if (role_ready(role, &walls, &err) != 0) {
		log_error("api.start", STR("why", err.text),
		    STR("detail", err.detail));
		r = -1;
	}
	while (r == 0 && !role_is_stopping())
		if (turn(api, role, &err) != 0) {
			r = role_is_stopping() ? 0 : -1;
			if (err.kind != ERR_RETRY)
				log_error("api.end", STR("why", err.text),
				    STR("detail", err.detail));
			break;
		}
	for (size_t i = 0; i < MAX_GUESTS; i++)
		if (api->guests[i].used && api->guests[i].call != 0) {
			api->guests[i].call = 0;
			refuse(&api->guests[i], 503, "the daemon stops");
			MHD_resume_connection(api->guests[i].connection);
		}
	if (api->http != NULL)
		MHD_stop_daemon(api->http);
	channel_free(api->registrar);
	free(api);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
