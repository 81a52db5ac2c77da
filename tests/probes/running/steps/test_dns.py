"""Names, asked of a name server of our own."""

from pathlib import Path

import pycares
import pytest

from probes.result import Reason
from probes.running.context import RunContext
from probes.running.steps.dns import text
from tests.probes.http.test_resolve import NameServer, name_server
from tests.probes.running.steps.asking import failing, up

pytestmark = pytest.mark.anyio


async def test_a_name_has_its_addresses(context: RunContext) -> None:
    expect = {"value": {"equals": "127.0.0.1", "count": 2}, "body": {"contains": "::1"}}
    await up(context, {"dns": "localhost", "expect": expect})


async def test_other_records_come_from_the_name_servers(tmp_path: Path) -> None:
    async with name_server(NameServer) as resolver:
        context = RunContext(tmp_path, resolver=resolver)
        step = {"dns": "www.shop.example", "record": "A", "save": {"address": "value"}}
        await up(context, step, {"check": "{{ address == '127.0.0.1' }}"})
        missing = await failing(context, {"dns": "www.shop.example", "record": "MX"})
        assert (missing.reason, missing.curl) == (Reason.DNS, "dig +short www.shop.example MX")
        unknown = await failing(context, {"dns": "nobody.example"})
        assert unknown.reason is Reason.DNS
        context.readers.close()


@pytest.mark.parametrize(
    ("record", "data", "line"),
    [
        ("A", pycares.ARecordData("192.0.2.1"), "192.0.2.1"),
        ("AAAA", pycares.AAAARecordData("2001:db8::1"), "2001:db8::1"),
        ("CNAME", pycares.CNAMERecordData("Shop.Example."), "shop.example"),
        ("NS", pycares.NSRecordData("ns1.example"), "ns1.example"),
        ("PTR", pycares.PTRRecordData("host.example"), "host.example"),
        ("MX", pycares.MXRecordData(10, "mail.example"), "10 mail.example"),
        ("SRV", pycares.SRVRecordData(1, 5, 443, "a.example"), "1 5 443 a.example"),
        ("SOA", pycares.SOARecordData("ns.example", "root.example", 7, 1, 2, 3, 4), "ns.example root.example 7"),
        ("TXT", pycares.TXTRecordData(b"v=spf1 -all"), "v=spf1 -all"),
        ("CAA", pycares.CAARecordData(0, "issue", "ca.example"), "0 issue ca.example"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_reads_as_in_a_zone_file(record: str, data: object, line: str) -> None:
    assert text(record, data) == line


@pytest.mark.parametrize("name", ["", "a b", "http://shop.example", "x" * 300])
async def test_what_is_no_name_is_config(name: str, context: RunContext) -> None:
    failed = await failing(context, {"dns": "{{ vars.name }}"}, vars={"name": name})
    assert failed.reason is Reason.CONFIG
