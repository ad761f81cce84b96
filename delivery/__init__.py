"""The outbox and the wire: deliveries are planned, claimed, sent and settled; rates, retries and transports."""
