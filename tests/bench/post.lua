-- One OCSP request, the same each time, by POST. It is in the environment,
-- hexadecimal.

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/ocsp-request"
wrk.body = os.getenv("OCSP_REQUEST"):gsub("%x%x", function(octet)
	return string.char(tonumber(octet, 16))
end)
