# What Python's XML-RPC makes of messages: paths on stdin, a line of JSON for each. Doubles and bytes are marked, so that
# nothing is lost on the way.
import base64, json, sys, xmlrpc.client
from xml.parsers.expat import ExpatError

def plain(value):
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return {"!double": repr(value)}
    if isinstance(value, bytes):
        return {"!bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return {"!struct": {name: plain(entry) for name, entry in value.items()}}

for path in sys.stdin.read().split("\n"):
    if not path:
        continue
    try:
        params, method = xmlrpc.client.loads(open(path, "rb").read(), use_builtin_types=True)
        print(json.dumps({"method": method, "params": [plain(param) for param in params]}))
    except xmlrpc.client.Fault as fault:
        print(json.dumps({"fault": [fault.faultCode, fault.faultString]}))
    except (ExpatError, xmlrpc.client.ResponseError):
        print(json.dumps(None))
