-- An OCSP request by POST for each call, with 16 fresh octets at its end: the
-- nonce. The request, hexadecimal and without them, is in the environment.

local prefix = os.getenv("OCSP_REQUEST"):gsub("%x%x", function(octet)
	return string.char(tonumber(octet, 16))
end)

function init(arguments)
	math.randomseed(os.time())
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/ocsp-request"
end

function request()
	local nonce = {}
	for i = 1, 16 do
		nonce[i] = string.char(math.random(0, 255))
	end
	return wrk.format(nil, nil, nil, prefix .. table.concat(nonce))
end
