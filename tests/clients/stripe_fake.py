"""localstripe, and what it lacks of Stripe: checkout sessions, disputes, idempotency keys.

Usage: python stripe_fake.py PORT. What payers and banks do is told to it below /_test.
"""

import json
import sys
import time

from aiohttp import web
from localstripe import resources, server
from localstripe.errors import UserError
from localstripe.resources import Charge, Customer, Event, PaymentIntent, PaymentMethod, StripeObject
from localstripe.webhooks import schedule_webhook

# Nothing of a test is kept for the next one.
resources.Store.dump_to_disk = lambda self: None

answers = {}


@web.middleware
async def once(request, handler):
    """The first answer to each Idempotency-Key; another body under the same key is refused."""
    key = request.headers.get('Idempotency-Key')
    if not key or request.method != 'POST':
        return await handler(request)
    asked = (request.path, await request.text())
    if key in answers:
        before, status, body = answers[key]
        if before != asked:
            raise UserError(400, 'The key was used with another request')
        return web.Response(status=status, body=body, content_type='application/json')
    try:
        response = await handler(request)
    except UserError as error:
        response = error.to_response()
    answers[key] = (asked, response.status, response.body)
    return response


class Session(StripeObject):
    object = 'checkout.session'
    _id_prefix = 'cs_'

    def __init__(self, line_items, metadata, payment_intent_data, success_url, cancel_url,
                 expires_at, client_reference_id, mode, customer=None, customer_creation=None):
        super().__init__()
        price = line_items[0]['price_data']
        if mode != 'payment' or int(expires_at) < time.time() + 1800:
            raise UserError(400, 'Bad request')
        self.amount_total = int(price['unit_amount'])
        self.currency = price['currency']
        self.client_reference_id = client_reference_id
        self.metadata = metadata
        self.success_url = success_url
        self.cancel_url = cancel_url
        self.expires_at = int(expires_at)
        self.customer = customer
        self.status = 'open'
        self.payment_status = 'unpaid'
        self.payment_intent = None
        self.url = 'https://checkout.example/' + self.id
        self._creates_customer = customer_creation == 'always'
        self._intent_metadata = payment_intent_data['metadata']

    def _tell(self, kind):
        schedule_webhook(Event('checkout.session.' + kind, self))

    def _pay(self, number='4242424242424242'):
        if self._creates_customer and not self.customer:
            self.customer = Customer().id
        card = {'number': number, 'exp_month': 1, 'exp_year': 2090, 'cvc': '123'}
        method = PaymentMethod(type='card', card=card)
        if self.customer:
            method.customer = self.customer
        intent = PaymentIntent(amount=self.amount_total, currency=self.currency,
                               customer=self.customer, payment_method=method.id,
                               metadata=self._intent_metadata)
        self.payment_intent = intent.id
        intent._confirm(on_failure_now=lambda: None)
        # Stripe copies it to the charge.
        intent.latest_charge.metadata = intent.metadata
        self.status, self.payment_status = 'complete', 'paid'
        self._tell('completed')


class Dispute(StripeObject):
    object = 'dispute'
    _id_prefix = 'dp_'

    def __init__(self, charge, amount):
        super().__init__()
        self.charge = charge.id
        self.payment_intent = charge.payment_intent
        self.amount = amount
        self.currency = charge.currency
        self.status = 'needs_response'


disputes = []
Charge.disputed = property(lambda self: any(d.charge == self.id for d in disputes))


def charge_of(session):
    return PaymentIntent._api_retrieve(session.payment_intent).latest_charge


async def pay(request):
    session = Session._api_retrieve(request.match_info['id'])
    session._pay()
    return web.json_response(session._export())


async def expire(request):
    session = Session._api_retrieve(request.match_info['id'])
    session.status = 'expired'
    session._tell('expired')
    return web.json_response(session._export())


async def refund(request):
    charge = charge_of(Session._api_retrieve(request.match_info['id']))
    resources.Refund(charge=charge.id, amount=request.query.get('amount'))
    schedule_webhook(Event('charge.refunded', charge))
    return web.json_response({})


async def dispute(request):
    charge = charge_of(Session._api_retrieve(request.match_info['id']))
    status = request.match_info['status']
    mine = [d for d in disputes if d.charge == charge.id]
    if not mine:
        mine = [Dispute(charge, charge.amount - charge.amount_refunded)]
        disputes.extend(mine)
    mine[0].status = status
    schedule_webhook(Event('charge.dispute.updated', mine[0]))
    return web.json_response({})


async def retrieve(request):
    return server.json_response(Session._api_retrieve(request.match_info['id'])._export())


async def create(request):
    return server.json_response(Session(**await server.get_post_data(request))._export())


async def list_disputes(request):
    found = [d._export() for d in disputes if d.charge == request.query.get('charge')]
    return server.json_response({'object': 'list', 'data': found, 'has_more': False})


async def intent(request):
    """As in later versions of the API: with the charge, if it is asked for."""
    found = PaymentIntent._api_retrieve(request.match_info['id'])
    shown = found._export()
    charge = found.latest_charge
    shown['latest_charge'] = charge and charge._export()
    if charge:
        shown['latest_charge']['amount_refunded'] = charge.amount_refunded
        shown['latest_charge']['disputed'] = charge.disputed
    return server.json_response(json.loads(json.dumps(shown)))


def main():
    app = web.Application(middlewares=[server.error_middleware, server.auth_middleware, once])
    app.router.add_post('/v1/checkout/sessions', create)
    app.router.add_get('/v1/checkout/sessions/{id}', retrieve)
    app.router.add_get('/v1/disputes', list_disputes)
    app.router.add_get('/v1/payment_intents/{id}', intent)
    app.router.add_post('/_test/sessions/{id}/pay', pay)
    app.router.add_post('/_test/sessions/{id}/expire', expire)
    app.router.add_post('/_test/sessions/{id}/refund', refund)
    app.router.add_post('/_test/sessions/{id}/dispute/{status}', dispute)
    for route in server.app.router.routes():
        if route.method in ('GET', 'POST', 'DELETE'):
            app.router.add_route(route.method, route.resource.canonical, route.handler)
    web.run_app(app, host='127.0.0.1', port=int(sys.argv[1]), print=None)


if __name__ == '__main__':
    main()
