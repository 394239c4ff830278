#ifndef COMMON_LINT_RULES_H
#define COMMON_LINT_RULES_H

/*
 * Every rule of the linter, once. RULE(NAME, id, severity, refuses, section,
 * text): "refuses" says that a certificate with such a finding is not signed,
 * even where RFC 5280 would allow it. docs/lint.md has the same rows, and
 * tests/data/lint a document that breaks each (tests/common/test_lint_rules.c
 * compares).
 */
#define LINT_RULES(RULE)						\
/* --- encoding and fields of certificates --- */			\
RULE(DER, "der", ERROR, true, "RFC 5280, 4.1",				\
    "it is not DER")							\
RULE(CERTIFICATE_FORM, "certificate_form", ERROR, true,			\
    "RFC 5280, 4.1", "its fields are not those of a certificate")	\
RULE(VERSION, "version", ERROR, true, "RFC 5280, 4.1.2.1",		\
    "its version is not 3")						\
RULE(SERIAL_FORM, "serial_form", ERROR, true, "RFC 5280, 4.1.2.2",	\
    "its serial number is not positive or longer than 20 octets")	\
RULE(SERIAL_SHORT, "serial_short", WARNING, false, "RFC 5280, 4.1.2.2",	\
    "its serial number has less than 64 bits, which can be guessed")	\
RULE(ALGORITHM_MISMATCH, "algorithm_mismatch", ERROR, true,		\
    "RFC 5280, 4.1.1.2", "its two signature algorithms differ")		\
RULE(ALGORITHM_PARAMETERS, "algorithm_parameters", ERROR, true,		\
    "RFC 4055, 5; RFC 5758, 3.2; RFC 8410, 3",				\
    "the parameters of its signature algorithm are wrong")		\
RULE(ALGORITHM_WEAK, "algorithm_weak", ERROR, true, "RFC 6194, 4",	\
    "its signature is made with MD5 or SHA-1")				\
RULE(ALGORITHM_UNKNOWN, "algorithm_unknown", WARNING, true,		\
    "RFC 5280, 4.1.1.2", "its signature algorithm is not known here")	\
RULE(ALGORITHM_ISSUER, "algorithm_issuer", ERROR, true,			\
    "RFC 5280, 4.1.1.2",						\
    "its signature algorithm is none of its issuer's key")		\
RULE(ALGORITHM_PROFILE, "algorithm_profile", ERROR, true,		\
    "RFC 5280, 4.1.1.2",						\
    "its signature does not have the hash of the profile")		\
RULE(SIGNATURE_FORM, "signature_form", ERROR, true,			\
    "RFC 5280, 4.1.1.3", "its signature is not a string of whole octets") \
RULE(ISSUER_EMPTY, "issuer_empty", ERROR, true, "RFC 5280, 4.1.2.4",	\
    "its issuer is empty")						\
RULE(ISSUER_MISMATCH, "issuer_mismatch", ERROR, true,			\
    "RFC 5280, 4.1.2.4", "its issuer is not the CA's subject")		\
RULE(TIME_FORM, "time_form", ERROR, true, "RFC 5280, 4.1.2.5",		\
    "a date is not written as it must be")				\
RULE(VALIDITY_ORDER, "validity_order", ERROR, true,			\
    "RFC 5280, 4.1.2.5", "notAfter is not after notBefore")		\
RULE(VALIDITY_ISSUER, "validity_issuer", ERROR, true,			\
    "RFC 5280, 4.1.2.5", "it is valid beyond its issuer")		\
RULE(VALIDITY_PROFILE, "validity_profile", ERROR, true,			\
    "RFC 5280, 4.1.2.5", "it is valid for longer than the profile says") \
RULE(UNIQUE_ID, "unique_id", ERROR, true, "RFC 5280, 4.1.2.8",		\
    "it has an issuerUniqueID or subjectUniqueID")			\
RULE(KEY_UNFIT, "key_unfit", ERROR, true, "RFC 5280, 4.1.2.7",		\
    "its key is not fit")						\
RULE(KEY_PROFILE, "key_profile", ERROR, true, "RFC 5280, 4.1.2.7",	\
    "its key is none that the profile has")				\
/* --- names --- */							\
RULE(NAME_FORM, "name_form", ERROR, true, "RFC 5280, 4.1.2.4",		\
    "a name is malformed")						\
RULE(NAME_MULTIVALUED, "name_multivalued", NOTICE, true,		\
    "RFC 5280, 4.1.2.4", "a part of a name has several attributes")	\
RULE(NAME_STRING, "name_string", ERROR, true, "RFC 5280, 4.1.2.4 and A.1", \
    "an attribute is not written as it must be")			\
RULE(NAME_OLD_STRING, "name_old_string", WARNING, true,			\
    "RFC 5280, 4.1.2.4",						\
    "an attribute is a TeletexString, BMPString or UniversalString")	\
RULE(NAME_CHARACTERS, "name_characters", ERROR, true,			\
    "RFC 5280, 4.1.2.4",						\
    "an attribute has characters that are not of its kind of string")	\
RULE(NAME_HIDDEN, "name_hidden", WARNING, true, "RFC 5280, 8",		\
    "an attribute has control or invisible characters")			\
RULE(NAME_LENGTH, "name_length", ERROR, true, "RFC 5280, A.1",		\
    "an attribute is empty or above its upper bound")			\
RULE(NAME_COUNTRY, "name_country", ERROR, true, "RFC 5280, A.1",	\
    "countryName is not two letters")					\
RULE(NAME_DOUBLED, "name_doubled", NOTICE, false, "RFC 5280, 4.1.2.4",	\
    "the same attribute with the same value stands in a name twice")	\
RULE(SUBJECT_EMPTY, "subject_empty", ERROR, true, "RFC 5280, 4.1.2.6",	\
    "it is a CA's, and its subject is empty")				\
RULE(SUBJECT_PROFILE, "subject_profile", ERROR, true,			\
    "RFC 5280, 4.1.2.6",						\
    "its subject has an attribute that the profile does not have")	\
RULE(SUBJECT_REQUIRED, "subject_required", ERROR, true,			\
    "RFC 5280, 4.1.2.6",						\
    "its subject lacks an attribute that the profile requires")		\
RULE(SAN_FORM, "san_form", ERROR, true, "RFC 5280, 4.2.1.6",		\
    "its subjectAltName is empty or malformed")				\
RULE(SAN_DNS, "san_dns", ERROR, true, "RFC 5280, 4.2.1.6",		\
    "a subjectAltName is malformed: a dNSName")				\
RULE(SAN_DNS_CASE, "san_dns_case", NOTICE, true, "RFC 5280, 4.2.1.6",	\
    "a subjectAltName is malformed: a dNSName has capitals")		\
RULE(SAN_EMAIL, "san_email", ERROR, true, "RFC 5280, 4.2.1.6",		\
    "a subjectAltName is malformed: an rfc822Name")			\
RULE(SAN_URI, "san_uri", ERROR, true, "RFC 5280, 4.2.1.6",		\
    "a subjectAltName is malformed: a uniformResourceIdentifier")	\
RULE(SAN_IP, "san_ip", ERROR, true, "RFC 5280, 4.2.1.6",		\
    "a subjectAltName is malformed: an iPAddress of neither 4 nor 16 "	\
    "octets")								\
RULE(SAN_SMTP_UTF8, "san_smtp_utf8", ERROR, true, "RFC 9598, 3",	\
    "a subjectAltName is malformed: an SmtpUTF8Mailbox")		\
RULE(SAN_DOUBLED, "san_doubled", WARNING, true, "RFC 5280, 4.2.1.6",	\
    "a subjectAltName stands there twice")				\
RULE(SAN_UNKNOWN, "san_unknown", NOTICE, true, "RFC 5280, 4.2.1.6",	\
    "a subjectAltName is of a form that is unknown")			\
RULE(SAN_PROFILE, "san_profile", ERROR, true, "RFC 5280, 4.2.1.6",	\
    "a subjectAltName is of a form that the profile does not have")	\
RULE(SAN_REQUIRED, "san_required", ERROR, true, "RFC 5280, 4.2.1.6",	\
    "it lacks a form of subjectAltName that the profile requires")	\
/* --- extensions as such --- */					\
RULE(EXTENSION_FORM, "extension_form", ERROR, true, "RFC 5280, 4.1",	\
    "an extension is malformed")					\
RULE(EXTENSION_DEFAULT, "extension_default", ERROR, true,		\
    "RFC 5280, 4.1; X.690, 11.5",					\
    "an extension is malformed: critical is FALSE, and encoded")	\
RULE(EXTENSIONS_EMPTY, "extensions_empty", ERROR, true,			\
    "RFC 5280, 4.1", "its list of extensions is there and empty")	\
RULE(EXTENSION_DOUBLED, "extension_doubled", ERROR, true,		\
    "RFC 5280, 4.2", "an extension is doubled")				\
RULE(EXTENSION_MISSING, "extension_missing", ERROR, true,		\
    "RFC 5280, 4.2", "an extension is missing")				\
RULE(EXTENSION_UNEXPECTED, "extension_unexpected", ERROR, true,		\
    "RFC 5280, 4.2", "an extension must not be there")			\
RULE(EXTENSION_CRITICAL, "extension_critical", ERROR, true,		\
    "RFC 5280, 4.2", "an extension is critical")			\
RULE(EXTENSION_NOT_CRITICAL, "extension_not_critical", ERROR, true,	\
    "RFC 5280, 4.2", "an extension is not critical")			\
RULE(EXTENSION_CRITICALITY, "extension_criticality", WARNING, false,	\
    "RFC 5280, 4.2",							\
    "an extension is critical and should not be, or the reverse")	\
RULE(EXTENSION_UNKNOWN, "extension_unknown", WARNING, false,		\
    "RFC 5280, 4.2", "an extension is critical and not known here")	\
RULE(EXTENSION_PROFILE, "extension_profile", ERROR, true,		\
    "RFC 5280, 4.2", "it has an extension that no profile has")		\
RULE(EXTENSION_VALUE, "extension_value", ERROR, true, "RFC 5280, 4.2",	\
    "an extension does not have the value of the profile")		\
/* --- extensions, one by one --- */					\
RULE(AKI_FORM, "aki_form", ERROR, true, "RFC 5280, 4.2.1.1",		\
    "its authorityKeyIdentifier is malformed or has no keyIdentifier")	\
RULE(AKI_NAMES, "aki_names", NOTICE, true, "RFC 5280, 4.2.1.1",		\
    "its authorityKeyIdentifier names issuer and serial as well")	\
RULE(AKI_ISSUER, "aki_issuer", ERROR, true, "RFC 5280, 4.2.1.1",	\
    "its authorityKeyIdentifier is not that of its issuer")		\
RULE(SKI_FORM, "ski_form", ERROR, true, "RFC 5280, 4.2.1.2",		\
    "its subjectKeyIdentifier is malformed")				\
RULE(SKI_KEY, "ski_key", NOTICE, true, "RFC 5280, 4.2.1.2",		\
    "its subjectKeyIdentifier is not that of its key (SHA-1)")		\
RULE(SKI_RECOMMENDED, "ski_recommended", WARNING, false,		\
    "RFC 5280, 4.2.1.2", "it has no subjectKeyIdentifier")		\
RULE(KEY_USAGE_FORM, "key_usage_form", ERROR, true, "RFC 5280, 4.2.1.3", \
    "its keyUsage is empty or malformed")				\
RULE(KEY_USAGE_PADDING, "key_usage_padding", ERROR, true,		\
    "RFC 5280, 4.2.1.3; X.690, 11.2.2",					\
    "its keyUsage has zero bits at its end")				\
RULE(KEY_USAGE_KEY, "key_usage_key", ERROR, true,			\
    "RFC 3279, 2.3.1; RFC 8813, 3; RFC 9295, 3",			\
    "its keyUsage is none that its kind of key can have")		\
RULE(KEY_USAGE_AGREEMENT, "key_usage_agreement", WARNING, true,		\
    "RFC 5280, 4.2.1.3",						\
    "its keyUsage has encipherOnly or decipherOnly without keyAgreement") \
RULE(KEY_USAGE_CA, "key_usage_ca", ERROR, true,				\
    "RFC 5280, 4.2.1.3 and 4.2.1.9",					\
    "its keyUsage has keyCertSign, and it is no CA's")			\
RULE(CA_KEY_USAGE, "ca_key_usage", WARNING, true, "RFC 5280, 4.2.1.3",	\
    "its keyUsage is not keyCertSign and cRLSign, and it is a CA's")	\
RULE(KEY_USAGE_PROFILE, "key_usage_profile", ERROR, true,		\
    "RFC 5280, 4.2.1.3", "its keyUsage is not the profile's")		\
RULE(KEY_USAGE_PURPOSE, "key_usage_purpose", WARNING, true,		\
    "RFC 5280, 4.2.1.12",						\
    "its keyUsage and extendedKeyUsage have no purpose in common")	\
RULE(POLICIES_FORM, "policies_form", ERROR, true, "RFC 5280, 4.2.1.4",	\
    "its certificatePolicies are malformed")				\
RULE(POLICIES_DOUBLED, "policies_doubled", ERROR, true,			\
    "RFC 5280, 4.2.1.4", "a certificate policy stands there twice")	\
RULE(POLICIES_QUALIFIER, "policies_qualifier", WARNING, true,		\
    "RFC 5280, 4.2.1.4",						\
    "a policy has a qualifier other than a CPS URI and a notice")	\
RULE(POLICIES_PROFILE, "policies_profile", ERROR, true,			\
    "RFC 5280, 4.2.1.4",						\
    "its certificatePolicies are not the profile's")			\
RULE(BASIC_CONSTRAINTS_FORM, "basic_constraints_form", ERROR, true,	\
    "RFC 5280, 4.2.1.9", "its basicConstraints are malformed")		\
RULE(BASIC_CONSTRAINTS_DEFAULT, "basic_constraints_default", ERROR, true, \
    "RFC 5280, 4.2.1.9; X.690, 11.5",					\
    "its basicConstraints are malformed: cA is FALSE, and encoded")	\
RULE(BASIC_CONSTRAINTS_PATH, "basic_constraints_path", ERROR, true,	\
    "RFC 5280, 4.2.1.9",						\
    "its basicConstraints have a path length, and it signs no "		\
    "certificates")							\
RULE(BASIC_CONSTRAINTS_END, "basic_constraints_end", ERROR, true,	\
    "RFC 5280, 4.2.1.9",						\
    "its basicConstraints are not those of an end entity")		\
RULE(BASIC_CONSTRAINTS_CA, "basic_constraints_ca", ERROR, true,		\
    "RFC 5280, 4.2.1.9", "its basicConstraints are not those of a CA")	\
RULE(PATH_ISSUER, "path_issuer", ERROR, true, "RFC 5280, 4.2.1.9",	\
    "its path length is not below its issuer's")			\
RULE(PATH_PROFILE, "path_profile", ERROR, true, "RFC 5280, 4.2.1.9",	\
    "its path length is not the profile's")				\
RULE(NAME_CONSTRAINTS_FORM, "name_constraints_form", ERROR, true,	\
    "RFC 5280, 4.2.1.10", "its nameConstraints are empty or malformed")	\
RULE(NAME_CONSTRAINTS_DISTANCE, "name_constraints_distance", ERROR, true, \
    "RFC 5280, 4.2.1.10", "its nameConstraints have minimum or maximum") \
RULE(NAME_CONSTRAINTS_IP, "name_constraints_ip", ERROR, true,		\
    "RFC 5280, 4.2.1.10",						\
    "its nameConstraints have an address that is not 4 or 16 octets "	\
    "and such a mask")							\
RULE(NAME_CONSTRAINTS_NAME, "name_constraints_name", ERROR, true,	\
    "RFC 5280, 4.2.1.10", "a name in its nameConstraints is malformed")	\
RULE(NAME_CONSTRAINTS_UNKNOWN, "name_constraints_unknown", WARNING, true, \
    "RFC 5280, 4.2.1.10",						\
    "its nameConstraints have a form of name that is unknown")		\
RULE(POLICY_CONTROL_FORM, "policy_control_form", ERROR, true,		\
    "RFC 5280, 4.2.1.5, 4.2.1.11 and 4.2.1.14",				\
    "its policyMappings, policyConstraints or inhibitAnyPolicy are "	\
    "malformed")							\
RULE(EXT_KEY_USAGE_FORM, "ext_key_usage_form", ERROR, true,		\
    "RFC 5280, 4.2.1.12", "its extendedKeyUsage is empty or malformed")	\
RULE(EXT_KEY_USAGE_DOUBLED, "ext_key_usage_doubled", WARNING, true,	\
    "RFC 5280, 4.2.1.12", "a purpose stands in extendedKeyUsage twice")	\
RULE(EXT_KEY_USAGE_ANY, "ext_key_usage_any", WARNING, false,		\
    "RFC 5280, 4.2.1.12",						\
    "its extendedKeyUsage is critical and has anyExtendedKeyUsage")	\
RULE(EXT_KEY_USAGE_TIME, "ext_key_usage_time", ERROR, true,		\
    "RFC 3161, 2.3",							\
    "its extendedKeyUsage has timeStamping and is not critical, or has " \
    "more")								\
RULE(EXT_KEY_USAGE_PROFILE, "ext_key_usage_profile", ERROR, true,	\
    "RFC 5280, 4.2.1.12", "its extendedKeyUsage is not the profile's")	\
RULE(CRL_POINT_FORM, "crl_point_form", ERROR, true,			\
    "RFC 5280, 4.2.1.13",						\
    "its cRLDistributionPoints or freshestCRL are malformed")		\
RULE(CRL_POINT_URI, "crl_point_uri", WARNING, true,			\
    "RFC 5280, 4.2.1.13",						\
    "a CRL distribution point is no URI of http or ldap")		\
RULE(CRL_POINT_ISSUER, "crl_point_issuer", ERROR, true,			\
    "RFC 5280, 4.2.1.13",						\
    "its cRLDistributionPoints are not the issuer's")			\
RULE(AUTHORITY_INFO_FORM, "authority_info_form", ERROR, true,		\
    "RFC 5280, 4.2.2.1", "its authorityInfoAccess is empty or malformed") \
RULE(AUTHORITY_INFO_URI, "authority_info_uri", WARNING, true,		\
    "RFC 5280, 4.2.2.1",						\
    "its authorityInfoAccess has a place that is no URI of http or ldap") \
RULE(AUTHORITY_INFO_ISSUER, "authority_info_issuer", ERROR, true,	\
    "RFC 5280, 4.2.2.1", "its authorityInfoAccess is not the issuer's")	\
RULE(NOCHECK_FORM, "nocheck_form", ERROR, true,				\
    "RFC 6960, 4.2.2.2.1", "its id-pkix-ocsp-nocheck is malformed")	\
RULE(NOCHECK_MISSING, "nocheck_missing", NOTICE, false,			\
    "RFC 6960, 4.2.2.2.1",						\
    "it may sign OCSP responses, and has no id-pkix-ocsp-nocheck")	\
RULE(NO_REV_AVAIL_FORM, "no_rev_avail_form", ERROR, true, "RFC 9608, 2", \
    "its noRevAvail is malformed")					\
RULE(NO_REV_AVAIL_ADDRESS, "no_rev_avail_address", ERROR, true,		\
    "RFC 9608, 3",							\
    "it has noRevAvail, and says where its revocation is told")		\
RULE(NO_REV_AVAIL_CA, "no_rev_avail_ca", ERROR, true, "RFC 9608, 3",	\
    "it has noRevAvail, and is a CA's")					\
RULE(TLS_FEATURE_FORM, "tls_feature_form", ERROR, true, "RFC 7633, 4", \
    "its TLS feature extension is empty or malformed")			\
RULE(TLS_FEATURE_PROFILE, "tls_feature_profile", ERROR, true,		\
    "RFC 7633, 4",							\
    "its TLS feature extension is not status_request alone")		\
/* --- requests --- */							\
RULE(CSR_FORM, "csr_form", ERROR, false, "RFC 2986, 4",			\
    "its fields are not those of a certificate request")		\
RULE(CSR_VERSION, "csr_version", ERROR, false, "RFC 2986, 4.1",		\
    "its version is not 1")						\
RULE(CSR_ALGORITHM, "csr_algorithm", ERROR, false, "RFC 2986, 4.2",	\
    "its signature algorithm is none of its key")			\
RULE(CSR_ATTRIBUTE_FORM, "csr_attribute_form", ERROR, false,		\
    "RFC 2986, 4.1", "an attribute of the request is malformed")	\
RULE(CSR_ATTRIBUTE_ORDER, "csr_attribute_order", ERROR, false,		\
    "RFC 2986, 4.1; X.690, 11.6",					\
    "the attributes of the request are not in the order of a SET")	\
RULE(CSR_ATTRIBUTE_DOUBLED, "csr_attribute_doubled", ERROR, false,	\
    "RFC 2985, 5.4",							\
    "an attribute of the request stands there twice or has two values")	\
RULE(CSR_ATTRIBUTE_UNKNOWN, "csr_attribute_unknown", NOTICE, false,	\
    "RFC 2986, 4.1", "an attribute of the request is not known here")	\
RULE(CSR_CHALLENGE, "csr_challenge", ERROR, false, "RFC 2985, 5.4.1",	\
    "its challengePassword is malformed or longer than 255 characters")	\
RULE(CSR_ASKS_CA, "csr_asks_ca", WARNING, false, "RFC 2985, 5.4.2",	\
    "it asks for the certificate of a CA")				\
/* --- CRLs --- */							\
RULE(CRL_FORM, "crl_form", ERROR, false, "RFC 5280, 5.1",		\
    "its fields are not those of a CRL")				\
RULE(CRL_VERSION, "crl_version", ERROR, false, "RFC 5280, 5.1.2.1",	\
    "its version is not 2")						\
RULE(CRL_NEXT_UPDATE, "crl_next_update", ERROR, false,			\
    "RFC 5280, 5.1.2.5", "it has no nextUpdate")			\
RULE(CRL_ORDER, "crl_order", ERROR, false, "RFC 5280, 5.1.2.5",		\
    "its nextUpdate is not after its thisUpdate")			\
RULE(CRL_EMPTY, "crl_empty", ERROR, false, "RFC 5280, 5.1.2.6",		\
    "its revokedCertificates are there and empty")			\
RULE(CRL_ENTRY_FORM, "crl_entry_form", ERROR, false,			\
    "RFC 5280, 5.1.2.6", "an entry is malformed")			\
RULE(CRL_ENTRY_SERIAL, "crl_entry_serial", ERROR, false,		\
    "RFC 5280, 4.1.2.2",						\
    "the serial number of an entry is not positive or longer than 20 "	\
    "octets")								\
RULE(CRL_ENTRY_DOUBLED, "crl_entry_doubled", ERROR, false,		\
    "RFC 5280, 5.1.2.6", "a serial number stands there twice")		\
RULE(CRL_ENTRY_LATE, "crl_entry_late", WARNING, false,			\
    "RFC 5280, 5.1.2.6", "an entry was revoked after thisUpdate")	\
RULE(CRL_ENTRY_EXTENSION, "crl_entry_extension", ERROR, false,		\
    "RFC 5280, 5.3", "an extension of an entry is malformed or wrong")	\
RULE(CRL_REASON, "crl_reason", ERROR, false, "RFC 5280, 5.3.1",		\
    "an entry has a reason that does not exist")			\
RULE(CRL_REASON_UNSPECIFIED, "crl_reason_unspecified", WARNING, false,	\
    "RFC 5280, 5.3.1",							\
    "an entry has the reason unspecified, instead of none")		\
RULE(CRL_REASON_REMOVE, "crl_reason_remove", ERROR, false,		\
    "RFC 5280, 5.3.1",							\
    "an entry has the reason removeFromCRL, and it is no delta CRL")	\
RULE(CRL_NUMBER, "crl_number", ERROR, false, "RFC 5280, 5.2.3",		\
    "its cRLNumber is negative or longer than 20 octets")		\
RULE(CRL_DELTA_BASE, "crl_delta_base", ERROR, false, "RFC 5280, 5.2.4",	\
    "its deltaCRLIndicator is malformed or not below its cRLNumber")	\
RULE(CRL_POINT, "crl_point", ERROR, false, "RFC 5280, 5.2.5",		\
    "its issuingDistributionPoint is empty or malformed")		\
RULE(CRL_FRESHEST, "crl_freshest", ERROR, false, "RFC 5280, 5.2.6",	\
    "it is a delta CRL, and has freshestCRL")				\
/* --- OCSP responses --- */						\
RULE(OCSP_FORM, "ocsp_form", ERROR, false, "RFC 6960, 4.2.1",		\
    "its fields are not those of an OCSP response")			\
RULE(OCSP_STATUS, "ocsp_status", ERROR, false, "RFC 6960, 4.2.1",	\
    "its status does not exist, or has an answer where none belongs")	\
RULE(OCSP_ERROR, "ocsp_error", NOTICE, false, "RFC 6960, 2.3",		\
    "it tells an error, and nothing is signed")				\
RULE(OCSP_VERSION, "ocsp_version", ERROR, false,			\
    "RFC 6960, 4.2.1; X.690, 11.5",					\
    "its version is not 1, or it is encoded")				\
RULE(OCSP_RESPONDER, "ocsp_responder", ERROR, false, "RFC 6960, 4.2.1",	\
    "its responder is named by a key hash that is not 20 octets")	\
RULE(OCSP_BY_NAME, "ocsp_by_name", WARNING, false, "RFC 9919, 3.2.2",	\
    "its responder is named by name and not by key")			\
RULE(OCSP_TIME, "ocsp_time", ERROR, false, "RFC 6960, 4.2.2.1",		\
    "a date is not GeneralizedTime in whole seconds and Z")		\
RULE(OCSP_ORDER, "ocsp_order", ERROR, false, "RFC 6960, 2.4",		\
    "its dates are not in order: thisUpdate, producedAt, nextUpdate")	\
RULE(OCSP_NEXT_UPDATE, "ocsp_next_update", WARNING, false,		\
    "RFC 9919, 3.2.4", "an answer has no nextUpdate")			\
RULE(OCSP_EMPTY, "ocsp_empty", ERROR, false, "RFC 6960, 4.2.1",		\
    "it has no answers")						\
RULE(OCSP_CERT_ID, "ocsp_cert_id", ERROR, false, "RFC 6960, 4.1.1",	\
    "the hashes of a CertID do not have the length of their algorithm")	\
RULE(OCSP_HASH, "ocsp_hash", WARNING, false, "RFC 9919, 3.1.1",		\
    "the hash algorithm of a CertID is neither SHA-1 nor SHA-2")	\
RULE(OCSP_CERT_STATUS, "ocsp_cert_status", ERROR, false,		\
    "RFC 6960, 4.2.1", "the status of a certificate is malformed")	\
RULE(OCSP_REASON, "ocsp_reason", ERROR, false, "RFC 5280, 5.3.1",	\
    "a revoked certificate has a reason that does not exist")		\
RULE(OCSP_NONCE, "ocsp_nonce", ERROR, false, "RFC 9654, 2.1",		\
    "its nonce does not have 1 to 128 octets")				\
RULE(OCSP_NONCE_SHORT, "ocsp_nonce_short", NOTICE, false,		\
    "RFC 9654, 2.1", "its nonce has less than 32 octets")		\
RULE(OCSP_EXTENSION, "ocsp_extension", ERROR, false, "RFC 6960, 4.4",	\
    "an extension of the response is malformed or stands there twice")	\
RULE(OCSP_SIGNER_NONE, "ocsp_signer_none", NOTICE, false,		\
    "RFC 6960, 4.2.1", "it has no certificate of its signer")		\
RULE(OCSP_SIGNER, "ocsp_signer", ERROR, false, "RFC 6960, 4.2.2.2",	\
    "no certificate in it has the key of the responder named")		\
RULE(OCSP_SIGNER_PURPOSE, "ocsp_signer_purpose", ERROR, false,		\
    "RFC 6960, 4.2.2.2",						\
    "the certificate of its signer has no purpose OCSPSigning")		\
RULE(OCSP_SIGNER_NOCHECK, "ocsp_signer_nocheck", WARNING, false,	\
    "RFC 6960, 4.2.2.2.1",						\
    "the certificate of its signer has no id-pkix-ocsp-nocheck")

#endif
