#include "ocspd/admission.h"

static void
count_hashes(const struct admission *a, const struct request *req)
{
	bool sha1 = request_has_hash(req, CERT_HASH_SHA1);
	bool sha256 = request_has_hash(req, CERT_HASH_SHA256);

	if (sha1)
		counters_add(a->counters, COUNT_CERT_ID_SHA1, 1);
	if (sha256)
		counters_add(a->counters, COUNT_CERT_ID_SHA256, 1);
	if (request_has_hash(req, CERT_HASH_SHA384) ||
	    request_has_hash(req, CERT_HASH_SHA512))
		counters_add(a->counters, COUNT_CERT_ID_OTHER, 1);
}

static enum ocsp_status
refuse(struct request *req, enum ocsp_status status, const char *why)
{
	req->why = why;
	return status;
}

static enum ocsp_status
check_signature(const struct admission *a, struct bytes der,
    struct request *req, time_t now)
{
	enum signed_requests mode = a->settings->signed_requests;

	if (mode == SIGNED_REQUESTS_IGNORE)
		return OCSP_SUCCESSFUL;
	if (!req->is_signed)
		return mode == SIGNED_REQUESTS_VERIFY ? OCSP_SUCCESSFUL :
		    refuse(req, OCSP_SIG_REQUIRED, "not signed");
	/* Without anybody to know, nobody is known. */
	if (a->requestors == NULL || !requestors_know(a->requestors, der, now))
		return refuse(req, OCSP_UNAUTHORIZED,
		    "signed by nobody that request_anchors vouches for");
	return OCSP_SUCCESSFUL;
}

enum ocsp_status
admission_check(const struct admission *a, struct bytes der,
    struct request *req, time_t now)
{
	count_hashes(a, req);
	if (!a->settings->sha1_cert_ids &&
	    request_has_hash(req, CERT_HASH_SHA1))
		return refuse(req, OCSP_UNAUTHORIZED,
		    "a CertID by SHA-1, which is switched off");
	return check_signature(a, der, req, now);
}

enum signature_alg
admission_signature(const struct admission *a, const struct request *req)
{
	for (size_t i = 0; i < req->n_preferred; i++)
		for (size_t k = 0; k < a->settings->n_responder_keys; k++)
			if (a->settings->responder_keys[k].signature ==
			    req->preferred[i])
				return req->preferred[i];
	return SIGNATURE_ANY;
}
