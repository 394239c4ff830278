#include "ocspd/limit_log.h"

#include "common/log.h"

#define SILENCE_MS	60000

const char *
limit_name(enum limit which)
{
	static const char *const names[N_LIMITS] = {
		[LIMIT_CONNECTIONS] = "max_connections",
		[LIMIT_CLIENT_CONNECTIONS] = "max_connections_per_client",
		[LIMIT_CLIENT_REQUESTS] = "max_requests_per_client_s",
		[LIMIT_WAITING] = "max_waiting",
		[LIMIT_REQUEST_OCTETS] = "max_request_octets",
		[LIMIT_CERT_IDS] = "max_cert_ids",
	};

	return names[which];
}

bool
limit_met(struct limit_log *l, enum limit which, const struct client *who,
    int64_t now_ms)
{
	char client[CLIENT_TEXT_SIZE];

	l->each[which].times++;
	if (now_ms < l->each[which].silent_until_ms)
		return false;
	client_to_text(who, client);
	log_warn("limit.met", STR("limit", limit_name(which)),
	    STR("client", client), NUM("times", l->each[which].times));
	l->each[which].silent_until_ms = now_ms + SILENCE_MS;
	l->each[which].times = 0;
	return true;
}
