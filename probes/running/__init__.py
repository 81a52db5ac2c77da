"""One run of one journey: account, session, steps, judgement, evidence, ledger, cleanup."""
